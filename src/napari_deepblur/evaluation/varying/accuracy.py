"""Accuracy of blurs that vary over the field, beside answers that need no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from napari_deepblur.engine.estimate import estimate_blur
from napari_deepblur.engine.events import Job, Progress
from napari_deepblur.evaluation.bench import Bench, optics_at
from napari_deepblur.evaluation.tables import Table, markdown
from napari_deepblur.evaluation.varying.bench import (
    MEAN_SEED,
    N_MEAN,
    STATIONARY_MODEL,
    VaryingObservation,
    field_snr_db,
    varying,
)
from napari_deepblur.operators.product_convolution_family import ProductConvolutionFamily

__all__ = ["varying_accuracy_job"]

_NOISE_LEVELS = (0.0, 0.01, 0.02, 0.05)


@dataclass(frozen=True, slots=True)
class _Row:
    """One image's estimate; PSF-SNR in dB, means over the field."""

    estimated: float
    mean_operator: float
    stationary: float
    central: float
    covered: float
    in_domain: float


def varying_accuracy_job(bench: Bench) -> Job[Table]:
    """PSF-SNR over the field at several noise levels, beside four answers that know less."""
    cells: list[list[str]] = []
    figures: dict[str, float] = {}
    mean = bench.model.family.admissible_set.sample(N_MEAN, seed=MEAN_SEED).mean(0)
    for name in bench.images:
        for level in _NOISE_LEVELS:
            rows = []
            for observation in varying(bench, name, level):
                rows.append(_measure(bench, observation, mean))
                yield Progress(len(rows), bench.n_images, f"{name}, σ = {level:g}")
            _add(cells, figures, name, level, rows)
    return Table("varying accuracy", "PSF over the field", markdown(_HEAD, cells), figures)


def _measure(bench: Bench, observation: VaryingObservation, mean: Tensor) -> _Row:
    family = bench.model.family
    assert isinstance(family, ProductConvolutionFamily)
    image, gamma = observation.image.numpy(), observation.gamma
    blur = estimate_blur(image, optics=optics_at(), model=bench.model, device=bench.device)
    stationary = estimate_blur(
        image, optics=optics_at(), model=STATIONARY_MODEL, device=bench.device
    )
    error = np.abs(blur.coefficients[0] - gamma.numpy())
    return _Row(
        estimated=field_snr_db(family, torch.from_numpy(blur.coefficients[0]), gamma),
        mean_operator=field_snr_db(family, mean, gamma),
        stationary=field_snr_db(family, torch.from_numpy(stationary.psf()), gamma),
        central=field_snr_db(family, family.psf(gamma), gamma),
        covered=float((error <= 2 * blur.std[0]).mean()),
        in_domain=float(blur.in_domain[0]),
    )


_HEAD = (
    "images", "σ", "n", "PSF-SNR, estimated (dB)", "mean operator (dB)", "gain over it (dB)",
    "stationary estimate (dB)", "true central PSF everywhere (dB)", "within 2 std", "in domain",
)  # fmt: skip


def _add(
    cells: list[list[str]],
    figures: dict[str, float],
    name: str,
    level: float,
    rows: Sequence[_Row],
) -> None:
    estimated, floor, stationary, central, covered, in_domain = (
        float(np.mean([getattr(row, field) for row in rows])) for field in _Row.__slots__
    )
    figures |= {
        f"{name} sigma={level:g} psf_field_snr": estimated,
        f"{name} sigma={level:g} floor_mean_operator": floor,
        f"{name} sigma={level:g} floor_stationary_estimate": stationary,
        f"{name} sigma={level:g} floor_central_psf": central,
        f"{name} sigma={level:g} coverage": covered,
        f"{name} sigma={level:g} in_domain": in_domain,
    }
    cells.append(
        [
            name,
            f"{level:g}",
            str(len(rows)),
            f"**{estimated:.1f}**",
            f"{floor:.1f}",
            f"**{estimated - floor:+.1f}**",
            f"{stationary:.1f}",
            f"{central:.1f}",
            f"{covered:.0%}",
            f"{in_domain:.0%}",
        ]
    )
