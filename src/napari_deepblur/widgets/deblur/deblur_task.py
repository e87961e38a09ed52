"""Deblurring of a layer, as a job that shows its planes as they come."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.axes import Planes
from napari_deepblur.engine.destination import InMemory, PlanesInMemory
from napari_deepblur.engine.diagnostics import DeblurringCheck
from napari_deepblur.engine.events import Event, Job, Progress
from napari_deepblur.engine.restore import Restored, restore_job
from napari_deepblur.widgets.deblur.readiness import Resolved
from napari_deepblur.widgets.deblur.tasks import Estimated, estimate_task

__all__ = ["Begun", "Deblurred", "PlanesDone", "deblur_task"]

#: Share of pixels that are shown as the brightest, and how many are looked at for that.
_BRIGHT, _LOOKED_AT = 1 / 5000, 4_000_000


@dataclass(frozen=True, slots=True)
class Deblurred:
    """A sharper image and the blur that was taken out.

    Attributes
    ----------
    estimated
        Blur that was taken out.
    sharp
        Deblurred image, float32, shape of the image.
    extent
        Least and largest intensity of `sharp`.
    bright
        Intensity that one in 5000 of its pixels exceeds.
    check
        Check of the deblurred image against the observed one; None if the check failed.
    residual
        Observed image minus the deblurred one blurred again, in units of the noise, shape of the
        image; None if it was not asked for.
    """

    estimated: Estimated
    sharp: NDArray[np.float32]
    extent: tuple[float, float]
    bright: float
    check: DeblurringCheck | None
    residual: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class Begun(Progress):
    """The blur is known, and the deblurring begins.

    Attributes
    ----------
    estimated
        The blur.
    sharp
        Image whose planes will come.
    """

    estimated: Estimated
    sharp: PlanesInMemory


@dataclass(frozen=True, slots=True)
class PlanesDone(Progress):
    """Planes are finished.

    Attributes
    ----------
    planes
        Their numbers.
    bright
        Intensity that few of their pixels exceed.
    """

    planes: frozenset[int]
    bright: float


def deblur_task(image: Any, wanted: Resolved, estimated: Estimated | None) -> Job[Deblurred]:
    """Deblur an image and check the result; without an estimate, estimate its blur first.

    Besides `Progress` it yields `Begun` once, and `PlanesDone` for each plane, or volume.
    """
    if estimated is None:
        estimated = yield from estimate_task(image, wanted)
    sharp = PlanesInMemory(tuple(int(n) for n in image.shape))
    yield Begun(0, 0, "loading the model", estimated, sharp)
    job = restore_job(wanted.request(image, estimated.blur), run=InMemory(sharp))
    restored = yield from _telling_planes(job, Planes.of(sharp, wanted.axes), sharp)
    data = sharp.data
    extent = float(data.min()), float(data.max())
    return Deblurred(estimated, data, extent, _bright(data), restored.check, restored.residual)


def _telling_planes(job: Job[Restored], planes: Planes, sharp: PlanesInMemory) -> Job[Restored]:
    told: set[int] = set()
    try:
        while True:
            event: Event = next(job)
            new = frozenset(sharp.finished - told)
            if new and isinstance(event, Progress):
                told |= new
                bright = max(_bright(planes.read(index)) for index in new)
                yield PlanesDone(event.done, event.total, event.stage, new, bright)
            yield event
    except StopIteration as stop:
        restored: Restored = stop.value
        return restored
    finally:
        job.close()


def _bright(sharp: NDArray[np.float32]) -> float:
    """Intensity that few pixels exceed; of large images some pixels are looked at."""
    apart = math.ceil((sharp.size / _LOOKED_AT) ** 0.5)
    return float(np.quantile(sharp[..., ::apart, ::apart], 1 - _BRIGHT))
