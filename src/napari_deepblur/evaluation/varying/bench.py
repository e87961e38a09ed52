"""Images, true blurs and PSFs over the field that measurements of varying blurs use."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from napari_deepblur.engine.blur import BlurEstimate
from napari_deepblur.engine.metrics import psf_snr
from napari_deepblur.evaluation.bench import Bench, noisy
from napari_deepblur.operators.product_convolution_family import ProductConvolutionFamily
from napari_deepblur.training.field_identification import even_places

__all__ = [
    "MEAN_SEED",
    "N_MEAN",
    "STATIONARY_MODEL",
    "VaryingObservation",
    "field_snr_db",
    "known_field",
    "varying",
]

#: What users would take without a model of varying blurs.
STATIONARY_MODEL = "widefield-zernike"

#: Places along each axis of the field at which PSFs are compared.
_N_PLACES = 8

#: Draws whose mean is the family's mean operator, apart from those that are measured.
N_MEAN, MEAN_SEED = 300, 11

_AT_A_TIME = 4


@dataclass(frozen=True, slots=True)
class VaryingObservation:
    """A held-out image as a microscope whose blur varies shows it."""

    images: str  # name of the image set
    noise_level: float
    gamma: Tensor  # (P,)
    image: Tensor  # (Y, X)
    sharp: Tensor  # (Y, X)


@torch.no_grad()
def varying(
    bench: Bench, name: str, level: float, gamma: Tensor | None = None, *, first: int = 0
) -> list[VaryingObservation]:
    """Noisy images of one set, the same at each call, by default with the bench's blurs."""
    gamma = bench.coefficients if gamma is None else gamma
    shape = (bench.size, bench.size)
    family = bench.model.family.at_optics(bench.optics)
    images, sharps = [], []
    for start in range(0, len(gamma), _AT_A_TIME):
        part = gamma[start : start + _AT_A_TIME]
        operator = family.operator(part, shape)
        scenes = bench.scenes(name, operator.domain_shape[0], len(part), first=first + start)
        top, left = (
            (wide - side) // 2 for wide, side in zip(operator.domain_shape, shape, strict=True)
        )
        images.append(operator.forward(scenes))
        sharps.append(scenes[:, top : top + bench.size, left : left + bench.size])
    rows = zip(gamma, noisy(torch.cat(images), level), torch.cat(sharps), strict=True)
    return [VaryingObservation(name, level, *row) for row in rows]


def known_field(bench: Bench, gamma: Tensor) -> BlurEstimate:
    """Make a blur of true coefficients (P,), as if they had been estimated."""
    row = gamma[None].numpy()
    return BlurEstimate(
        row,
        np.zeros_like(row),
        bench.optics,
        bench.model.reference,
        field_shape=(bench.size, bench.size),
    )


@torch.no_grad()
def field_snr_db(family: ProductConvolutionFamily, estimated: Tensor, gamma: Tensor) -> float:
    """PSF-SNR in dB, mean over 8 × 8 places of the field.

    Parameters
    ----------
    family
        Of the true coefficients.
    estimated
        Coefficients (P,), or one PSF (h, w) for the whole field.
    gamma
        True coefficients γ, shape (P,).
    """
    places = even_places(_N_PLACES)
    true = family.psf_at(gamma, places)
    if estimated.ndim == 1:
        return float(psf_snr(family.psf_at(estimated, places), true).mean())
    return float(psf_snr(estimated, true).mean())
