"""Training of a denoiser: sharp crops, noise of many kinds and levels, one pass."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from napari_deepblur.networks.photometry import IntensityScale
from napari_deepblur.training.data.photon_noise import NoisyImages, add_photon_noise

__all__ = ["denoising_loss", "draw_contrasts"]

#: Lowest and highest noise, by the image's maximum: between the iterations of deblurring there is
#: more than in any image.
_LEVELS = (0.002, 0.3)

#: Lowest contrast of a crop by that of the whole field, which sets the scale of intensities in
#: use.
_LEAST_CONTRAST = 0.05

#: Share of crops with the contrast of a whole field.
_WHOLE = 0.5

#: Highest contrast: sharp points are brighter than their blurred image.
_BRIGHTEST = 5.0

#: Share of images whose camera noise varies over the field.
_UNEVEN = 0.3

#: Error by the variance of the noise, below which little is to be gained.
_ERROR_FLOOR = 0.003


def denoising_loss(denoiser: nn.Module, sharp: Tensor, generator: Generator) -> Tensor:
    """Mean of log(squared error / noise variance + floor): all levels of noise count alike.

    Parameters
    ----------
    denoiser
        Called with images and the standard deviation of their noise, both (n, Y, X).
    sharp
        Crops in [0, 1], shape (n, Y, X).
    generator
        Of all that is random.
    """
    low, high = _LEVELS
    uniform = torch.rand(len(sharp), generator=generator, device=sharp.device)
    level = low * (high / low) ** uniform
    noisy = add_photon_noise(sharp, level, generator, uneven=_UNEVEN)
    (image, deviation), sharp = _as_in_a_field(noisy, sharp, generator)
    with torch.autocast(image.device.type, torch.bfloat16):
        cleaned = denoiser(image, deviation)
    error = (cleaned - sharp).square().mean((-2, -1)) / deviation.square().mean((-2, -1))
    loss: Tensor = (error + _ERROR_FLOOR).log().mean()
    return loss


def _as_in_a_field(
    noisy: NoisyImages, sharp: Tensor, generator: Generator
) -> tuple[NoisyImages, Tensor]:
    """On the scale of intensities of a field of which the crop shows a part."""
    scale = IntensityScale.of(noisy.image)
    contrast, _ = draw_contrasts(len(sharp), generator, brightest=_BRIGHTEST)
    uniform = torch.rand(len(sharp), 1, 1, generator=generator, device=sharp.device)
    offset = torch.where(contrast == 1, 0, uniform * (1 - contrast).clamp_min(0))
    image, truth = (contrast * scale.normalise(one) + offset for one in (noisy.image, sharp))
    return NoisyImages(image, contrast * noisy.deviation / scale.span), truth


def draw_contrasts(
    n: int, generator: Generator, *, brightest: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Draw the contrasts of crops as parts of larger fields.

    Parameters
    ----------
    n
        Number of crops.
    generator
        Of all that is random.
    brightest
        Highest contrast.

    Returns
    -------
        Contrasts, of which half are 1, and which of the crops these are, both (n, 1, 1).
    """
    uniform = torch.rand(2, n, 1, 1, generator=generator, device=generator.device)
    whole = uniform[0] < _WHOLE
    part = _LEAST_CONTRAST * (brightest / _LEAST_CONTRAST) ** uniform[1]
    return torch.where(whole, 1, part), whole
