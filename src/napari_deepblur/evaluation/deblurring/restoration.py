"""Blurred noisy images, their restoration and its quality, for all measurements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from napari_deepblur.engine.blur import BlurEstimate
from napari_deepblur.engine.deblur import deblur
from napari_deepblur.engine.estimate import estimate_blur
from napari_deepblur.engine.events import Job, Progress
from napari_deepblur.engine.metrics import psnr, ssim
from napari_deepblur.evaluation.bench import Bench, noisy, optics_at

__all__ = [
    "NOISE_LEVELS",
    "USUAL_LEVEL",
    "Observation",
    "Quality",
    "Restoration",
    "estimated_blur",
    "known_blur",
    "mean_quality",
    "observations",
    "quality",
    "restorations_job",
    "restored",
]

#: σ by the maximum of the noiseless blurred image.
NOISE_LEVELS = (0.01, 0.02, 0.05)

#: σ at which questions are put that need one level only.
USUAL_LEVEL = 0.02

_MARGIN = 16


class Quality(NamedTuple):
    """PSNR and SSIM of an image beside the sharp one, 16 pixels at the borders left out."""

    psnr: float  # dB
    ssim: float


@dataclass(frozen=True, slots=True)
class Observation:
    """A held-out image as a microscope of known blur shows it."""

    images: str  # name of the image set
    noise_level: float
    gamma: Tensor  # (P,), waves RMS
    psf: Tensor  # (h, w)
    image: Tensor  # (Y, X)
    sharp: Tensor  # (Y, X)


@dataclass(frozen=True, slots=True)
class Restoration:
    """Deblurred versions of one observation; None where the model cannot identify."""

    images: str
    noise_level: float
    observed: Quality
    estimated: Quality | None
    true: Quality
    #: PSNR (dB) inside and in the border band as wide as the PSF, of observation and result.
    observed_inside_and_band: tuple[float, float]
    true_inside_and_band: tuple[float, float]


def observations(
    bench: Bench, name: str, level: float, gamma: Tensor | None = None, *, first: int = 0
) -> list[Observation]:
    """Noisy images of one set, the same at each call, by default with the bench's blurs.

    Parameters
    ----------
    bench
        Model, images and blurs.
    name
        Of the image set.
    level
        σ by each image's maximum.
    gamma
        Other blurs, shape (n, P).
    first
        Number of the first image.
    """
    gamma = bench.coefficients if gamma is None else gamma
    psf = bench.psf_of(gamma)
    border = psf.shape[-1] // 2
    images = noisy(bench.blurred(name, psf, first=first), level)
    sharp = bench.scenes(name, bench.size + 2 * border, len(gamma), first=first)
    sharp = sharp[..., border:-border, border:-border]
    rows = zip(gamma, psf, images, sharp, strict=True)
    return [Observation(name, level, *row) for row in rows]


def known_blur(bench: Bench, gamma: Tensor) -> BlurEstimate:
    """Make a blur of true coefficients (P,), as if they had been estimated."""
    row = gamma[None].numpy()
    return BlurEstimate(row, np.zeros_like(row), optics_at(), bench.model.reference)


def estimated_blur(bench: Bench, image: Tensor) -> BlurEstimate | None:
    """Estimate the blur of an image (Y, X); None where the model cannot."""
    if bench.model.card.identification is None:
        return None
    return estimate_blur(image.numpy(), optics=optics_at(), model=bench.model, device=bench.device)


def restored(bench: Bench, image: Tensor, blur: BlurEstimate) -> Tensor:
    """Deblurred image (Y, X)."""
    return torch.from_numpy(deblur(image.numpy(), blur, model=bench.model, device=bench.device))


def quality(image: Tensor, sharp: Tensor) -> Quality:
    """PSNR and SSIM of an image (Y, X) inside its borders."""
    inner = (slice(_MARGIN, -_MARGIN), slice(_MARGIN, -_MARGIN))
    return Quality(float(psnr(image[inner], sharp[inner])), float(ssim(image[inner], sharp[inner])))


def mean_quality(qualities: Sequence[Quality | None]) -> Quality | None:
    """Means of PSNR and SSIM; None where there are none."""
    known = [one for one in qualities if one is not None]
    return Quality(*(float(value) for value in np.mean(known, 0))) if known else None


def restorations_job(
    bench: Bench, noise_levels: Sequence[float] = NOISE_LEVELS
) -> Job[tuple[Restoration, ...]]:
    """Deblur each image set at each noise level with the estimated and with the true operator."""
    results = []
    for name in bench.images:
        for level in noise_levels:
            rows = observations(bench, name, level)
            for index, observation in enumerate(rows):
                results.append(_restore(bench, observation))
                yield Progress(index + 1, len(rows), f"{name}, σ = {level:g}")
    return tuple(results)


def _restore(bench: Bench, observation: Observation) -> Restoration:
    image, sharp = observation.image, observation.sharp
    estimate = estimated_blur(bench, image)
    true = restored(bench, image, known_blur(bench, observation.gamma))
    band = observation.psf.shape[-1]
    return Restoration(
        images=observation.images,
        noise_level=observation.noise_level,
        observed=quality(image, sharp),
        estimated=quality(restored(bench, image, estimate), sharp) if estimate else None,
        true=quality(true, sharp),
        observed_inside_and_band=_inside_and_band(image, sharp, band),
        true_inside_and_band=_inside_and_band(true, sharp, band),
    )


def _inside_and_band(image: Tensor, sharp: Tensor, band: int) -> tuple[float, float]:
    """PSNR (dB) of both parts, the peak being the whole sharp image's range."""
    # Images too small for an inner part keep one pixel of it.
    width = min(band, (min(sharp.shape) - 1) // 2)
    inside = torch.zeros_like(sharp, dtype=torch.bool)
    inside[width:-width, width:-width] = True
    error = (image - sharp).square()
    peak = sharp.max() - sharp.min()
    parts = (10 * (peak.square() / error[part].mean()).log10() for part in (inside, ~inside))
    first, second = (float(part) for part in parts)
    return first, second
