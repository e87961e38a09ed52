"""Deblurring of a layer, as a job that shows its planes as they come."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.axes import Planes
from napari_deepblur.engine.destination import OnView, PlanesInMemory
from napari_deepblur.engine.diagnostics import DeblurringCheck
from napari_deepblur.engine.events import Event, Job, Progress
from napari_deepblur.engine.planes_on_disk import PlanesOnDisk
from napari_deepblur.engine.restore import Restored, restore_job
from napari_deepblur.io.metadata import Channel, ImageMetadata
from napari_deepblur.widgets.deblur.metadata import result_metadata
from napari_deepblur.widgets.deblur.readiness import Resolved
from napari_deepblur.widgets.deblur.tasks import Estimated, estimate_task
from napari_deepblur.widgets.tasks.task import Handover

__all__ = [
    "OME_ZARR",
    "Begun",
    "Deblurred",
    "PlanesDone",
    "deblur_or_ask_task",
    "deblur_task",
    "intensities_of",
]

#: Ending of the files of results.
OME_ZARR = ".ome.zarr"

#: A deblurred image that comes plane by plane.
Planewise = PlanesInMemory | PlanesOnDisk

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
        Deblurred image, float32, shape of the image; of a large one a file that is read as it is
        looked at.
    extent
        Least and largest intensity of `sharp`.
    bright
        Intensity that one in 5000 of the pixels exceeds in the plane where it is highest.
    check
        Check of the deblurred image against the observed one; None if the check failed.
    residual
        Observed image minus the deblurred one blurred again, in units of the noise, shape of the
        image; None if it was not asked for.
    residual_limit
        Largest deviation of the residual from 0.
    """

    estimated: Estimated
    sharp: Any
    extent: tuple[float, float]
    bright: float
    check: DeblurringCheck | None
    residual: Any = None
    residual_limit: float = 0.0


@dataclass(frozen=True, slots=True)
class Begun(Handover):
    """The blur is known, and the deblurring begins.

    Attributes
    ----------
    estimated
        The blur.
    sharp
        Image whose planes will come.
    """

    estimated: Estimated
    sharp: Planewise


@dataclass(frozen=True, slots=True)
class PlanesDone(Handover):
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


def deblur_task(
    image: Any, wanted: Resolved, estimated: Estimated | None, file: Path | None = None
) -> Job[Deblurred]:
    """Deblur an image and check the result; without an estimate, estimate its blur first.

    Besides `Progress` it yields `Begun` once, and `PlanesDone` for each plane, or volume.

    Parameters
    ----------
    image
        Pixels of the layer.
    wanted
        The choices.
    estimated
        Its blur, if it is known.
    file
        OME-Zarr file for a result too large for memory; what is finished goes to it however the
        job ends.
    """
    if estimated is None:
        estimated = yield from estimate_task(image, wanted)
    shape = tuple(int(n) for n in image.shape)
    on_disk = [] if file is None else _files(file, shape, wanted)
    sharp = on_disk[0] if on_disk else PlanesInMemory(shape)
    residual = on_disk[1] if len(on_disk) > 1 else None
    try:
        yield Begun(0, 0, "loading the model", estimated, sharp)
        job = restore_job(wanted.request(image, estimated.blur), run=OnView(sharp, residual))
        seen = _Seen(Planes.of(sharp, wanted.axes))
        restored = yield from _telling_planes(job, seen, sharp)
        yield Progress(0, 0, "writing the file" if on_disk else "showing the result")
    finally:
        for place in on_disk:
            place.put_in_place(*_on_file(wanted, estimated))
    rest = restored.residual
    limit = 0.0 if rest is None else _largest(Planes.of(rest, wanted.axes))
    return Deblurred(
        estimated, sharp.data, (seen.low, seen.high), seen.bright, restored.check, rest, limit
    )


def deblur_or_ask_task(
    image: Any, wanted: Resolved, estimated: Estimated | None, file: Path | None = None
) -> Job[Deblurred | Estimated]:
    """Deblur an image as `deblur_task` does, unless its estimate turns out to be a guess.

    Then the result is the estimate, and nothing is deblurred before the user was asked.

    Parameters
    ----------
    image, wanted, estimated, file
        As of `deblur_task`.
    """
    if estimated is None:
        estimated = yield from estimate_task(image, wanted)
        if estimated.blur.tells_nothing:
            return estimated
    return (yield from deblur_task(image, wanted, estimated, file))


def _files(file: Path, shape: tuple[int, ...], wanted: Resolved) -> list[PlanesOnDisk]:
    """Make the files of the deblurred image and, where it is wanted, the residual beside it."""
    name = file.name.removesuffix(OME_ZARR)
    names = [name, f"{name} residual"] if wanted.residual_layer else [name]
    return [PlanesOnDisk(file.with_name(one + OME_ZARR), shape, wanted.axes) for one in names]


def _on_file(wanted: Resolved, estimated: Estimated) -> tuple[ImageMetadata, dict[str, Any]]:
    """Make what a file says of itself."""
    optics, step = estimated.blur.optics, wanted.fields.get("z_step_um")
    metadata = ImageMetadata(
        pixel_sides_um=(optics.pixel_size_um, optics.pixel_size_um),
        z_step_um=None if step is None else step.value,
        channels=(Channel(wavelength_um=optics.wavelength_um),),
        numerical_aperture=optics.numerical_aperture,
        refractive_index=optics.refractive_index,
        name=wanted.name,
    )
    return metadata, result_metadata("deblurred", wanted.name, estimated)["deepblur"]


class _Seen:
    """Intensities of the planes that were looked at."""

    def __init__(self, planes: Planes) -> None:
        self._planes = planes
        self.low, self.high, self.bright = float("inf"), float("-inf"), float("-inf")

    def look_at(self, index: int) -> None:
        """Look at one more plane."""
        (low, high), bright = intensities_of(self._planes.read(index))
        self.low, self.high = min(self.low, low), max(self.high, high)
        self.bright = max(self.bright, bright)


def _telling_planes(job: Job[Restored], seen: _Seen, sharp: Planewise) -> Job[Restored]:
    told: set[int] = set()
    try:
        while True:
            event: Event = next(job)
            new = frozenset(sharp.finished - told)
            if new and isinstance(event, Progress):
                told |= new
                for index in new:
                    seen.look_at(index)
                yield PlanesDone(event.done, event.total, event.stage, new, seen.bright)
            yield event
    except StopIteration as stop:
        restored: Restored = stop.value
        return restored
    finally:
        job.close()


def _largest(planes: Planes) -> float:
    """Find the largest deviation from 0."""
    return max(float(np.abs(planes.read(index)).max()) for index in range(len(planes)))


def intensities_of(sharp: NDArray[np.float32]) -> tuple[tuple[float, float], float]:
    """Find the extent of the numbers, and the intensity that few pixels exceed.

    Where there are none, the extent is that of an empty set, and so widens no other.
    """
    numbers = sharp[np.isfinite(sharp)]
    if numbers.size == 0:
        return (math.inf, -math.inf), -math.inf
    # Of large images some pixels are looked at.
    apart = math.ceil(numbers.size / _LOOKED_AT)
    bright = float(np.quantile(numbers[::apart], 1 - _BRIGHT))
    return (float(numbers.min()), float(numbers.max())), bright
