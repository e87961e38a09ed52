"""Comparison with classical deblurring, each method at its best strength."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_deepblur.engine.events import Job, Progress
from napari_deepblur.evaluation.bench import Bench
from napari_deepblur.evaluation.deblurring.accuracy import quality_cell
from napari_deepblur.evaluation.deblurring.classical import (
    classical_candidates,
    total_variation_fista,
)
from napari_deepblur.evaluation.deblurring.restoration import (
    USUAL_LEVEL,
    Quality,
    Restoration,
    mean_quality,
    observations,
    quality,
)
from napari_deepblur.evaluation.tables import Table, markdown

__all__ = ["best_of", "classical_job", "unaberrated_psf"]


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Quality of one image after the network and after the best classical method."""

    network: Restoration
    unaberrated: Quality
    true: Quality
    variational: Quality | None  # with the true PSF, on few images


def classical_job(bench: Bench, restorations: Sequence[Restoration]) -> Job[Table]:
    """Best classical methods beside the network on the same images at σ = 0.02.

    Parameters
    ----------
    bench
        With which the network was measured.
    restorations
        Results of `restorations_job` on the same bench.
    """
    comparisons = []
    unaberrated = unaberrated_psf(bench)
    for name in bench.images:
        own = [r for r in restorations if r.images == name and r.noise_level == USUAL_LEVEL]
        for index, one in enumerate(observations(bench, name, USUAL_LEVEL)):
            few = index < bench.n_few
            slow = total_variation_fista(one.image, one.psf) if few else {}
            comparisons.append(
                _Comparison(
                    own[index],
                    best_of(classical_candidates(one.image, unaberrated), one.sharp),
                    best_of(classical_candidates(one.image, one.psf), one.sharp),
                    best_of(slow, one.sharp) if slow else None,
                )
            )
            yield Progress(index + 1, len(own), f"{name}, classical methods")
    return _table(comparisons, list(bench.images))


def best_of(candidates: Mapping[str, Tensor], sharp: Tensor) -> Quality:
    """Highest PSNR and highest SSIM, each by whichever candidate has it."""
    qualities = [quality(image, sharp) for image in candidates.values()]
    return Quality(max(one.psnr for one in qualities), max(one.ssim for one in qualities))


def unaberrated_psf(bench: Bench) -> Tensor:
    """Theoretical PSF without aberrations (h, w): the one that users have."""
    return bench.psf_of(torch.zeros_like(bench.coefficients[:1]))[0]


_Rows = dict[str, list[Quality | None]]


def _table(comparisons: Sequence[_Comparison], names: Sequence[str]) -> Table:
    cells: list[list[str]] = []
    few_cells: list[list[str]] = []
    lines: list[str] = []
    figures: dict[str, float] = {}
    for name in names:
        part = [one for one in comparisons if one.network.images == name]
        means = {key: mean_quality(values) for key, values in _all_rows(part).items()}
        cells += [[name, str(len(part)), key, quality_cell(m)] for key, m in means.items()]
        for key, mean in means.items():
            if mean is not None:
                figures[f"{name} {key}: psnr_db"] = mean.psnr
                figures[f"{name} {key}: ssim"] = mean.ssim
        for better, other in _GAINS:
            upper, lower = means[better], means[other]
            if upper is not None and lower is not None:
                psnr, ssim = upper.psnr - lower.psnr, upper.ssim - lower.ssim
                lines.append(f"- {name}, {better} over {other}: **{psnr:+.2f} dB**, {ssim:+.3f}.")
                figures[f"{name} {better} over {other}: gain_db"] = psnr
        few = [one for one in part if one.variational is not None]
        few_means = {key: mean_quality(values) for key, values in _few_rows(few).items()}
        few_cells += [[name, str(len(few)), key, quality_cell(m)] for key, m in few_means.items()]
        variational = few_means[_VARIATIONAL]
        if variational is not None:
            figures[f"{name} {_VARIATIONAL}: psnr_db"] = variational.psnr
    text = "\n\n".join([markdown(_HEAD, cells), "\n".join(lines), markdown(_HEAD, few_cells)])
    return Table("classical", "Beside classical methods", text, figures)


_HEAD = ("images", "n", "method", "PSNR (dB) / SSIM")
_OBSERVED = "observed"
_BEST_UNABERRATED = "best classical, unaberrated PSF"
_BEST_TRUE = "best classical, true PSF"
_ESTIMATED = "network, estimated PSF"
_TRUE = "network, true PSF"
_VARIATIONAL = "FISTA with total variation, true PSF"

_GAINS = ((_ESTIMATED, _BEST_UNABERRATED), (_TRUE, _BEST_TRUE), (_ESTIMATED, _BEST_TRUE))


def _all_rows(part: Sequence[_Comparison]) -> _Rows:
    return {
        _OBSERVED: [one.network.observed for one in part],
        _BEST_UNABERRATED: [one.unaberrated for one in part],
        _BEST_TRUE: [one.true for one in part],
        _ESTIMATED: [one.network.estimated for one in part],
        _TRUE: [one.network.true for one in part],
    }


def _few_rows(part: Sequence[_Comparison]) -> _Rows:
    return {
        _BEST_TRUE: [one.true for one in part],
        _VARIATIONAL: [one.variational for one in part],
        _TRUE: [one.network.true for one in part],
    }
