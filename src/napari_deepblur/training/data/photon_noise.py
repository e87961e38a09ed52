"""Noise of photons and camera, with the map of its standard deviation that an estimate gives."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn import functional

from napari_deepblur.training.data.synthesis import smooth_field

__all__ = ["NoisyImages", "add_photon_noise"]

#: An estimated standard deviation is wrong by up to this share.
_ESTIMATE_ERROR = 0.15

#: Standard deviation of the Gaussian by which the image is smoothed for the map, pixels.
_SMOOTHING = 2.5

#: Photons per pixel beyond which shot noise is below single precision's digits.
_MOST_PHOTONS = 1e6

#: Gain that counts as none, so that nothing is divided by 0.
_LEAST_GAIN = 1e-12

#: Highest by lowest variance of uneven read noise.
_UNEVENNESS = 9.0

#: Share of the whole variance that the map never falls below.
_LEAST_SHARE = 0.02


class NoisyImages(NamedTuple):
    """Images with noise, and the standard deviation of the noise as it would be estimated."""

    image: Tensor  # (n, Y, X)
    deviation: Tensor  # (n, Y, X), in the image's unit


def add_photon_noise(
    clean: Tensor,
    level: Tensor,
    generator: Generator,
    *,
    uneven: float = 0.0,
) -> NoisyImages:
    """Add Poisson noise of photons and Gaussian noise of the camera.

    One image in six has the one kind alone, one in six the other, the rest a mixture.

    Parameters
    ----------
    clean
        Noiseless, non-negative, shape (n, Y, X).
    level
        Root mean square of the noise as a fraction of each image's maximum, shape (n,).
    generator
        Of all that is random.
    uneven
        Share of images whose camera noise varies smoothly over the field.
    """
    uniform = torch.rand(3, len(clean), 1, 1, generator=generator, device=clean.device)
    variance = (level[:, None, None] * clean.amax((-2, -1), keepdim=True)).square()
    shot = (1.5 * uniform[0] - 0.25).clamp(0, 1)
    field = _UNEVENNESS ** (smooth_field(clean, generator) - 0.5)
    camera = (1 - shot) * variance * field.where(uniform[1] < uneven, 1)
    gain = shot * variance / clean.mean((-2, -1), keepdim=True).clamp_min(1e-6)
    normal = torch.randn(clean.shape, generator=generator, device=clean.device)
    image = clean + _photons(clean, gain, generator) + camera.sqrt() * normal
    estimate = gain * _smoothed(image).clamp_min(0) + camera + _LEAST_SHARE * variance
    return NoisyImages(image, estimate.sqrt() * (1 + _ESTIMATE_ERROR * (2 * uniform[2] - 1)))


def _photons(clean: Tensor, gain: Tensor, generator: Generator) -> Tensor:
    """Noise of counting photons, each of which adds `gain` to the image."""
    expected = clean.clamp_min(0) / gain.clamp_min(_LEAST_GAIN)
    counted = torch.poisson(expected.clamp_max(_MOST_PHOTONS), generator=generator)
    return (gain * (counted - expected)).where(expected < _MOST_PHOTONS, 0)


def _smoothed(image: Tensor) -> Tensor:
    reach = math.ceil(3 * _SMOOTHING)
    distance = torch.arange(-reach, reach + 1, device=image.device)
    weights = torch.exp(-distance.square() / (2 * _SMOOTHING**2))
    weights = (weights / weights.sum())[None, None]
    wide = functional.pad(image[:, None], (reach,) * 4, mode="reflect")
    return functional.conv2d(functional.conv2d(wide, weights[..., None]), weights[:, :, None])[:, 0]
