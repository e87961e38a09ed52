"""Gain in deblurring by knowing that the blur varies over the field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from napari_deepblur.engine.deblur import deblur
from napari_deepblur.engine.estimate import estimate_blur
from napari_deepblur.engine.events import Job, Progress
from napari_deepblur.evaluation.bench import Bench
from napari_deepblur.evaluation.deblurring.accuracy import quality_cell
from napari_deepblur.evaluation.deblurring.classical import richardson_lucy
from napari_deepblur.evaluation.deblurring.restoration import (
    Quality,
    mean_quality,
    quality,
    restored,
)
from napari_deepblur.evaluation.tables import Table, markdown
from napari_deepblur.evaluation.varying.bench import (
    STATIONARY_MODEL,
    VaryingObservation,
    known_field,
    varying,
)

__all__ = ["varying_deblurring_job", "varying_strong_blur_job", "wide_blur_deblurring_job"]

_NOISE_LEVELS = (0.01, 0.02)

_SSIM, _TOLERANCE = 0.42, 0.03
#: Where to look for images that are blurred so strongly.
_STRONG_LEVELS = (0.02, 0.03, 0.01, 0.05)
_N_WANTED = 20
_BLUR_SEED = 7

_OBSERVED = "observed"
_ESTIMATED = "network, estimated operator"
_TRUE = "network, true operator"
_STATIONARY = "network, stationary estimate"
_CENTRAL = "Richardson–Lucy, true central PSF"
_METHODS = (_OBSERVED, _ESTIMATED, _TRUE, _STATIONARY, _CENTRAL)


def varying_deblurring_job(bench: Bench) -> Job[Table]:
    """PSNR and SSIM with the estimated and true operator, and with one PSF for the field."""
    return (yield from _deblurring_job(bench, "varying deblurring"))


def wide_blur_deblurring_job(bench: Bench) -> Job[Table]:
    """Measure the same of blurs that are read off coarse pixels."""
    return (yield from _deblurring_job(bench, "wide blur deblurring"))


def _deblurring_job(bench: Bench, table: str) -> Job[Table]:
    results: dict[tuple[str, str], list[dict[str, Quality]]] = {}
    for name in bench.images:
        for level in _NOISE_LEVELS:
            rows = results.setdefault((name, f"{level:g}"), [])
            for observation in varying(bench, name, level):
                rows.append(_measure(bench, observation))
                yield Progress(len(rows), bench.n_images, f"{name}, σ = {level:g}")
    return _table(table, "Deblurring", results)


def varying_strong_blur_job(bench: Bench) -> Job[Table]:
    """Measure the same on images whose observation has SSIM 0.42 ± 0.03."""
    results: dict[tuple[str, str], list[dict[str, Quality]]] = {}
    for name in bench.images:
        rows = results.setdefault((name, "0.01 … 0.05"), [])
        wanted = min(_N_WANTED, bench.n_images)
        for observation in _strong(bench, name):
            if len(rows) == wanted:
                break
            rows.append(_measure(bench, observation))
            yield Progress(len(rows), wanted, f"{name}, strong blur")
    if len(results) > 1:
        results["all", "0.01 … 0.05"] = [row for rows in results.values() for row in rows]
    return _table("varying strong blur", "Strong blur: observed SSIM 0.42 ± 0.03", results)


def _strong(bench: Bench, name: str) -> Iterator[VaryingObservation]:
    """Strongly blurred observations in the order in which draws give them."""
    for draw, level in enumerate(_STRONG_LEVELS):
        gamma = bench.model.family.admissible_set.sample(bench.n_images, seed=_BLUR_SEED + draw)
        for one in varying(bench, name, level, gamma, first=7 * draw):
            if abs(quality(one.image, one.sharp).ssim - _SSIM) <= _TOLERANCE:
                yield one


def _measure(bench: Bench, observation: VaryingObservation) -> dict[str, Quality]:
    image, sharp = observation.image, observation.sharp
    counts = image.numpy()
    blur = estimate_blur(counts, optics=bench.optics, model=bench.model, device=bench.device)
    results: dict[str, Tensor] = {
        _OBSERVED: image,
        _ESTIMATED: restored(bench, image, blur),
        _TRUE: restored(bench, image, known_field(bench, observation.gamma)),
    }
    if not bench.optics.sampling.is_refused:
        stationary = estimate_blur(
            counts, optics=bench.optics, model=STATIONARY_MODEL, device=bench.device
        )
        one_psf = deblur(counts, stationary, model=bench.model, device=bench.device)
        results[_STATIONARY] = torch.from_numpy(one_psf)
    qualities = {name: quality(result, sharp) for name, result in results.items()}
    with torch.no_grad():
        family = bench.model.family.at_optics(bench.optics)
        central = family.psf(observation.gamma).clamp_min(0)
    # Of several numbers of iterations the one that the truth likes best.
    candidates = [quality(one, sharp) for one in richardson_lucy(image, central).values()]
    qualities[_CENTRAL] = Quality(
        max(one.psnr for one in candidates), max(one.ssim for one in candidates)
    )
    return qualities


def _table(
    name: str, title: str, results: Mapping[tuple[str, str], Sequence[Mapping[str, Quality]]]
) -> Table:
    asked = next((rows[0] for rows in results.values() if rows), {})
    # Of pixels that are coarse for a thin sample there is no stationary estimate.
    methods = [key for key in _METHODS if not asked or key in asked]
    head = ("images", "σ", "n", *methods, "estimated − true, SSIM")
    cells: list[list[str]] = []
    figures: dict[str, float] = {}
    for (images, level), rows in results.items():
        means = {key: mean_quality([row[key] for row in rows]) for key in methods}
        estimated, true = means[_ESTIMATED], means[_TRUE]
        difference = estimated.ssim - true.ssim if estimated and true else np.nan
        for key, mean in means.items():
            if mean is not None:
                figures[f"{name}: {images} sigma={level}, {key}: psnr_db"] = mean.psnr
                figures[f"{name}: {images} sigma={level}, {key}: ssim"] = mean.ssim
        figures[f"{name}: {images} sigma={level}, estimated - true: ssim"] = float(difference)
        shown = [quality_cell(mean, bold=key == _ESTIMATED) for key, mean in means.items()]
        cells.append([images, level, str(len(rows)), *shown, f"{difference:+.3f}"])
    return Table(name, title, f"PSNR (dB) / SSIM.\n\n{markdown(head, cells)}", figures)
