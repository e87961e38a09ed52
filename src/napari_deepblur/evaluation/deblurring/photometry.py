"""Check that deblurring keeps gain, offset and flux."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.deblur import deblur
from napari_deepblur.engine.events import Job, Progress
from napari_deepblur.evaluation.bench import Bench
from napari_deepblur.evaluation.deblurring.restoration import (
    USUAL_LEVEL,
    known_blur,
    observations,
)
from napari_deepblur.evaluation.tables import Table, markdown

__all__ = ["deblurring_photometry_job"]

#: Where the brightest pixel and the dark lie in the counts that all variants begin with.
_PEAK, _OFFSET = 4000, 100

#: Gain a and offset b of a y + b.
_VARIANTS: Mapping[str, tuple[float, float]] = {
    "gain × 0.01": (0.01, 0.0),
    "gain × 100": (100.0, 0.0),
    "offset + 10 000": (1.0, 10_000.0),
    "offset − 1000": (1.0, -1000.0),
    "gain × 7, offset + 1000": (7.0, 1000.0),
}


def deblurring_photometry_job(bench: Bench) -> Job[Table]:
    """Measure |deblur(a y + b) − (a deblur(y) + b)| by the range of a y, and the flux's change."""
    largest: dict[str, dict[str, float]] = {variant: {} for variant in _VARIANTS}
    flux: dict[str, float] = {}
    for name in bench.images:
        few = observations(bench, name, USUAL_LEVEL, bench.coefficients[: bench.n_few])
        for index, one in enumerate(few):
            counts = (one.image / one.image.max() * _PEAK + _OFFSET).numpy()
            blur = known_blur(bench, one.gamma)
            sharp = deblur(counts, blur, model=bench.model, device=bench.device)
            flux[name] = max(flux.get(name, 0.0), abs(_total(sharp) / _total(counts) - 1))
            for variant, (gain, offset) in _VARIANTS.items():
                changed = np.asarray(gain * counts + offset, np.float32)
                other = deblur(changed, blur, model=bench.model, device=bench.device)
                expected = gain * sharp.astype(np.float64) + offset
                change = float(np.abs(other - expected).max() / np.ptp(changed))
                largest[variant][name] = max(largest[variant].get(name, 0.0), change)
            yield Progress(index + 1, len(few), f"{name}, photometry")
    return _table(largest, flux)


def _total(image: NDArray[np.float32]) -> float:
    return float(image.sum(dtype=np.float64))


def _table(largest: Mapping[str, Mapping[str, float]], flux: Mapping[str, float]) -> Table:
    head = ["", *(f"{name}: largest" for name in flux)]
    rows = [[variant, *(f"{by[name]:.1e}" for name in flux)] for variant, by in largest.items()]
    rows.append(["change of the flux", *(f"{value:.1e}" for value in flux.values())])
    figures = {
        f"{name} deblurring, {variant}: relative_change": value
        for variant, by in largest.items()
        for name, value in by.items()
    }
    figures |= {f"{name} deblurring: flux_change": value for name, value in flux.items()}
    return Table("deblurring photometry", "Units", markdown(head, rows), figures)
