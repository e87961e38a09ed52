"""What a camera makes of a sharp scene: blur, background and noise, in batches."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from napari_deepblur.operators import Convolution

__all__ = ["add_noise", "draw_noise_levels", "observe"]

#: Highest by lowest noise level.
_NOISE_SPAN = 50


def observe(sharp: Tensor, psf: Tensor) -> Tensor:
    """Noiseless image of scenes on the larger domain.

    Parameters
    ----------
    sharp
        Shape (n, Y + h - 1, X + w - 1).
    psf
        Shape (n, h, w): one blur for each scene.

    Returns
    -------
        Shape (n, Y, X).
    """
    height = sharp.shape[-2] - psf.shape[-2] + 1
    width = sharp.shape[-1] - psf.shape[-1] + 1
    return Convolution(psf, (height, width)).forward(sharp)


def draw_noise_levels(n: int, highest: float, generator: Generator) -> Tensor:
    """Noise levels σ, shape (n,): one in five is 0, the others log-uniform up to `highest`."""
    uniform = torch.rand(2, n, generator=generator, device=generator.device)
    level = highest / _NOISE_SPAN * torch.exp(uniform[0] * math.log(_NOISE_SPAN))
    return level * (uniform[1] > 0.2)


def add_noise(image: Tensor, level: Tensor, generator: Generator) -> Tensor:
    """Add Poisson-Gaussian noise, its shot part given by the normal approximation.

    Parameters
    ----------
    image
        Noiseless, non-negative, shape (n, Y, X).
    level
        σ as a fraction of each image's maximum, shape (n,): the noise's root mean square.
    generator
        Draws also which part of the variance is shot noise.
    """
    peak = image.amax((-2, -1), keepdim=True).clamp_min(1e-6)
    relative = (image / peak).clamp_min(0)
    shot = torch.rand(len(image), 1, 1, generator=generator, device=image.device)
    mean = relative.mean((-2, -1), keepdim=True).clamp_min(1e-6)
    variance = 1 - shot + shot * relative / mean
    noise = torch.randn(image.shape, generator=generator, device=image.device)
    return image + peak * level[:, None, None] * variance.sqrt() * noise
