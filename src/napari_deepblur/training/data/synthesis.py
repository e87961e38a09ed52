"""Haze, uneven light, noise and other faults that samples and cameras add to an image.

All of it in batches of images (n, Y, X), drawn with a torch generator.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn

from napari_deepblur.operators import Convolution
from napari_deepblur.optics.pupil import Pupil
from napari_deepblur.optics.settings import CANONICAL_CUTOFF, Optics

__all__ = [
    "Haze",
    "add_noise",
    "draw_noise_levels",
    "hot_pixels",
    "observe",
    "quantise",
    "saturate",
    "shot_noise",
    "smooth_background",
    "smooth_field",
    "uneven_illumination",
]

#: Highest by lowest noise level.
_NOISE_SPAN = 50

#: A camera's offset by its full scale.
_OFFSET = 0.03

#: Half width of the window for planes out of focus, in units of 1 / cutoff: 95 pixels wide at
#: the canonical cutoff, where 3 µm out of focus make a PSF some 75 pixels wide.
_HALF_HAZE_WINDOW = 47 * CANONICAL_CUTOFF


def observe(sharp: Tensor, psf: Tensor) -> Tensor:
    """Noiseless image of scenes on the larger domain.

    Parameters
    ----------
    sharp
        Shape (..., Y + h - 1, X + w - 1).
    psf
        Shape (..., h, w): one blur for each scene.

    Returns
    -------
        Shape (..., Y, X).
    """
    height = sharp.shape[-2] - psf.shape[-2] + 1
    width = sharp.shape[-1] - psf.shape[-1] + 1
    return Convolution(psf, (height, width)).forward(sharp)


def draw_noise_levels(n: int, highest: float, generator: Generator) -> Tensor:
    """Noise levels σ, shape (n,): one in five is 0, the others log-uniform up to `highest`."""
    uniform = torch.rand(2, n, generator=generator, device=generator.device)
    level = highest / _NOISE_SPAN * torch.exp(uniform[0] * math.log(_NOISE_SPAN))
    return level * (uniform[1] > 0.2)


def add_noise(
    image: Tensor, level: Tensor, generator: Generator, *, shot: float | None = None
) -> Tensor:
    """Add Poisson-Gaussian noise, its shot part given by the normal approximation.

    Parameters
    ----------
    image
        Noiseless, non-negative, shape (n, Y, X).
    level
        σ as a fraction of each image's maximum, shape (n,): the noise's root mean square.
    generator
        Source of the noise, and of its shot part where that is not given.
    shot
        Share of the mean variance that is shot noise: 0 for noise alike everywhere, 1 for shot
        noise alone. By default uniform in [0, 1] for each image.
    """
    peak = image.amax((-2, -1), keepdim=True).clamp_min(1e-6)
    relative = (image / peak).clamp_min(0)
    drawn = torch.rand(len(image), 1, 1, generator=generator, device=image.device)
    share = drawn if shot is None else torch.full_like(drawn, shot)
    mean = relative.mean((-2, -1), keepdim=True).clamp_min(1e-6)
    variance = 1 - share + share * relative / mean
    noise = torch.randn(image.shape, generator=generator, device=image.device)
    return image + peak * level[:, None, None] * variance.sqrt() * noise


def shot_noise(image: Tensor, photons: Tensor | float, generator: Generator) -> Tensor:
    """Count photons, so few that their number is Poisson's and nothing like normal.

    Parameters
    ----------
    image
        Noiseless, shape (n, Y, X).
    photons
        Mean number in each image's brightest pixel, a number or shape (n,).
    generator
        Draws the photons.

    Returns
    -------
        In the image's own units.
    """
    gain = _per_image(photons, image) / _peak(image)
    return torch.poisson((image * gain).clamp_min(0), generator=generator) / gain


def hot_pixels(
    image: Tensor,
    share: Tensor | float,
    generator: Generator,
    *,
    brightness: tuple[float, float] = (1.0, 3.0),
) -> Tensor:
    """Set some pixels far too bright.

    Parameters
    ----------
    image
        Shape (n, Y, X).
    share
        Of all pixels, a number or shape (n,).
    generator
        Draws pixels and brightness.
    brightness
        Lowest and highest, by the image's maximum.
    """
    uniform = torch.rand(2, *image.shape, generator=generator, device=image.device)
    low, high = brightness
    bright = _peak(image) * (low + (high - low) * uniform[0])
    return bright.where(uniform[1] < _per_image(share, image), image)


def quantise(image: Tensor, bits: Tensor | int, *, exposure: Tensor | float = 1.0) -> Tensor:
    """Round to a camera's whole counts and clip to its range.

    The camera adds an offset of 3 % of full scale, so that most of the noise below zero stays.

    Parameters
    ----------
    image
        Shape (n, Y, X).
    bits
        Of the camera: counts lie between 0 and 2^bits - 1. A number or shape (n,).
    exposure
        Where the image's maximum comes to lie, by the range above the offset: above 1 it is
        clipped. A number or shape (n,).

    Returns
    -------
        Without the offset and in the image's own units.
    """
    full = torch.exp2(_per_image(bits, image)) - 1
    offset = (_OFFSET * full).round()
    gain = _per_image(exposure, image) * (full - offset) / _peak(image)
    counts = (image * gain + offset).round().clamp_min(0).minimum(full)
    return (counts - offset) / gain


def uneven_illumination(image: Tensor, amplitude: Tensor | float, generator: Generator) -> Tensor:
    """Multiply by a smooth field between 1 - amplitude and 1 + amplitude.

    The field is off-centre vignetting or a tilt; `amplitude` is a number or shape (n,).
    """
    field = 2 * smooth_field(image, generator) - 1
    return image * (1 + _per_image(amplitude, image) * field)


def smooth_background(image: Tensor, height: Tensor | float, generator: Generator) -> Tensor:
    """Add a smooth non-negative field that reaches `height` (a number or shape (n,)) × maximum."""
    floor = torch.rand(len(image), 1, 1, generator=generator, device=image.device)
    field = floor + (1 - floor) * smooth_field(image, generator)
    return image + _per_image(height, image) * _peak(image) * field


def saturate(image: Tensor, share: Tensor | float) -> Tensor:
    """Clip at the level that a share of the pixels (a number or shape (n,)) exceeds."""
    flat = image.flatten(1)
    exceeding = (_per_image(share, image)[:, 0] * flat.shape[1]).round().long()
    exceeding = exceeding.clamp_max(flat.shape[1] - 1)
    brightest = flat.topk(int(exceeding.max()) + 1).values
    return image.minimum(brightest.gather(1, exceeding)[..., None])


class Haze(nn.Module):
    """Light from planes out of focus, imaged by the same aberrated pupil.

    Parameters
    ----------
    noll_indices
        Modes of the aberrations.
    cutoff
        Pupil radius in cycles per pixel.
    optics
        What a µm of defocus does; by default an oil immersion objective of NA 1.3. Its pixel
        size is not used.
    """

    def __init__(
        self,
        noll_indices: Sequence[int],
        cutoff: float = CANONICAL_CUTOFF,
        optics: Optics | None = None,
    ) -> None:
        super().__init__()
        optics = optics or Optics(numerical_aperture=1.3, wavelength_um=0.52, pixel_size_um=0.1)
        window = 2 * math.ceil(_HALF_HAZE_WINDOW / cutoff - 1e-9) + 1
        self._pupil = Pupil(noll_indices, cutoff=cutoff, window=window, optics=optics)

    @property
    def margin(self) -> int:
        """Pixels by which scenes are larger than their images."""
        return self._pupil.window - 1

    def psf(self, gamma: Tensor, defocus_um: Tensor | float) -> Tensor:
        """PSF out of focus: γ (..., P) and depths (...) in µm to (..., window, window), sum 1."""
        return self._pupil.psf(gamma, defocus_um=defocus_um)

    def light(self, scenes: Tensor, gamma: Tensor, defocus_um: Tensor) -> Tensor:
        """Sum of the light of planes out of focus.

        Parameters
        ----------
        scenes
            Sharp scenes, shape (n, planes, Y + margin, X + margin).
        gamma
            Aberrations γ in waves RMS, shape (n, P).
        defocus_um
            Distances of the planes from focus, µm, shape (n, planes).

        Returns
        -------
            Shape (n, Y, X).
        """
        gamma = gamma[:, None].expand(-1, scenes.shape[1], -1)
        return observe(scenes, self.psf(gamma, defocus_um)).sum(1)

    @staticmethod
    def add(image: Tensor, haze_image: Tensor, share: Tensor | float) -> Tensor:
        """Add haze to images (n, Y, X), so strong that it makes up a share of all light.

        `share` below 1, a number or shape (n,); the light in focus stays as it is.
        """
        part = _per_image(share, image)
        total = haze_image.sum((-2, -1), keepdim=True).clamp_min(1e-6)
        strength = part / (1 - part) * image.sum((-2, -1), keepdim=True) / total
        return image + strength * haze_image


def smooth_field(image: Tensor, generator: Generator) -> Tensor:
    """Draw sums of a few cosines of random phase, between 0 and 1, one of each image's shape."""
    n, n_waves = len(image), 3
    uniform = torch.rand(4, n, n_waves, 1, 1, generator=generator, device=image.device)
    # Less than one period over the field: a tilt, a hill or a valley somewhere.
    turns_y, turns_x = 1.4 * uniform[:2] - 0.7
    y, x = (torch.linspace(0, 1, side, device=image.device) for side in image.shape[-2:])
    phase = 2 * math.pi * (turns_y * y[:, None] + turns_x * x + uniform[2])
    field = (uniform[3] * phase.cos()).sum(1)
    low, high = field.amin((-2, -1), keepdim=True), field.amax((-2, -1), keepdim=True)
    unit: Tensor = (field - low) / (high - low).clamp_min(1e-6)
    return unit


def _peak(image: Tensor) -> Tensor:
    return image.amax((-2, -1), keepdim=True).clamp_min(1e-6)


def _per_image(value: Tensor | float, image: Tensor) -> Tensor:
    """Expand a number, or one for each image, to shape (n, 1, 1)."""
    values = torch.as_tensor(value, dtype=image.dtype, device=image.device)
    return values.expand(len(image))[:, None, None]
