"""Change of the estimate with gain, offset and data type, which say nothing of the blur."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from napari_deepblur.engine.estimate import estimate_blur
from napari_deepblur.engine.events import Job, Progress
from napari_deepblur.evaluation.bench import Bench, Readings, noisy, optics_at
from napari_deepblur.evaluation.tables import Table, markdown
from napari_deepblur.training.trust import coefficient_error

__all__ = ["photometry_job"]

Counts = NDArray[np.float32]

_NOISE_LEVEL = 0.01

#: Where the brightest pixel and the dark lie in the 8-bit counts that all variants begin with.
_PEAK, _OFFSET = 200, 20

_VARIANTS: dict[str, Callable[[Counts], NDArray[np.generic]]] = {
    "gain × 0.01": lambda counts: counts * np.float32(0.01),
    "gain × 100": lambda counts: counts * np.float32(100),
    "offset + 1000": lambda counts: counts + np.float32(1000),
    "offset - 1000": lambda counts: counts - np.float32(1000),
    "uint8": lambda counts: counts.astype(np.uint8),
    "uint16, × 16 (12 bit)": lambda counts: 16 * counts.astype(np.uint16),
    "uint16, × 257 (16 bit)": lambda counts: 257 * counts.astype(np.uint16),
}


def photometry_job(bench: Bench) -> Job[Table]:
    """Measure the largest change of γ when the same counts are stored otherwise."""
    largest: dict[str, dict[str, float]] = {}
    for name in bench.images:
        counts = [_counts(image) for image in noisy(_clean(bench, name), _NOISE_LEVEL)]
        usual = yield from _read_job(bench, counts, f"{name}, float32")
        for variant, change in _VARIANTS.items():
            stored = [change(image) for image in counts]
            gamma = yield from _read_job(bench, stored, f"{name}, {variant}")
            error = coefficient_error(bench.pupil_family, gamma, usual)
            largest.setdefault(variant, {})[name] = float(error.abs().max())
    return _table(largest, list(bench.images))


def _clean(bench: Bench, name: str) -> Tensor:
    return bench.blurred(name, bench.psf[: bench.n_few])


def _counts(image: Tensor) -> Counts:
    counts = (image / image.max() * _PEAK + _OFFSET).round().clamp(0, 255)
    return np.asarray(counts.numpy(), np.float32)


def _read_job(
    bench: Bench, images: list[NDArray[np.generic]] | list[Counts], stage: str
) -> Job[Tensor]:
    blurs = []
    for image in images:
        blurs.append(
            estimate_blur(image, optics=optics_at(), model=bench.model, device=bench.device)
        )
        yield Progress(len(blurs), len(images), stage)
    return Readings.of(blurs).coefficients


def _table(largest: dict[str, dict[str, float]], names: list[str]) -> Table:
    head = ["the same counts with", *(f"{name}: largest change (waves)" for name in names)]
    rows = [[variant, *(f"{by[name]:.5f}" for name in names)] for variant, by in largest.items()]
    figures = {
        f"{name} {variant}: change_waves": value
        for variant, by in largest.items()
        for name, value in by.items()
    }
    return Table("photometry", "Photometry", markdown(head, rows), figures)
