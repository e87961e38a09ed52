"""Job of a preview, which needs neither Qt nor napari."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.axes import Planes
from napari_deepblur.engine.blur import BlurEstimate
from napari_deepblur.engine.events import Job, Progress
from napari_deepblur.engine.part import Part, deblur_part_job
from napari_deepblur.engine.restore import find_blur_job
from napari_deepblur.engine.volume.part import deblur_volume_part_job
from napari_deepblur.widgets.deblur.deblur_task import intensities_of
from napari_deepblur.widgets.deblur.readiness import Resolved
from napari_deepblur.widgets.deblur.tasks import Estimated, estimate_task

__all__ = ["Preview", "preview_task"]


@dataclass(frozen=True, slots=True)
class Preview:
    """A deblurred part of a layer.

    Attributes
    ----------
    estimated
        The blur that was taken out.
    origin
        Index of its first pixel in the layer.
    sharp
        Intensities, float32, of as many axes as the layer.
    extent
        Least and largest intensity.
    bright
        Intensity that few pixels exceed.
    of_plane_alone
        True where the blur was read off the current plane alone, as none was known.
    """

    estimated: Estimated
    origin: tuple[int, ...]
    sharp: NDArray[np.float32]
    extent: tuple[float, float]
    bright: float
    of_plane_alone: bool = False


def preview_task(
    image: Any, wanted: Resolved, part: Part, estimated: Estimated | None
) -> Job[Preview]:
    """Deblur a part of an image; without an estimate, estimate the blur of its plane first."""
    planes = Planes.of(image, wanted.axes)
    position = planes.position(part.plane)
    corner = part.rows.start, part.columns.start
    if estimated is None and wanted.known.choice is not None:
        estimated = yield from estimate_task(image, wanted)  # there is nothing to estimate
    if estimated is None:
        alone = replace(wanted, axes="YX", per="plane", z_step_um=None, focus_step_um=None)
        plane = planes.read(part.plane)
        found = yield from estimate_task(plane, alone)
        sharp = yield from _part_job(plane, alone, replace(part, plane=0), found)
        return _preview(found, (*position, *corner), sharp, planes, of_plane_alone=True)
    yield Progress(0, 0, "loading the model")
    if estimated.is_3d:
        first, sharp = yield from _volume_part_job(image, wanted, part, estimated)
        return _preview(estimated, (*position[:-1], first, *corner), sharp, planes)
    sharp = yield from _part_job(image, wanted, part, estimated)
    return _preview(estimated, (*position, *corner), sharp, planes)


def _part_job(
    image: Any, wanted: Resolved, part: Part, estimated: Estimated
) -> Job[NDArray[np.float32]]:
    request = wanted.request(image, estimated.blur)
    blur = yield from find_blur_job(request)
    assert isinstance(blur, BlurEstimate)
    return (
        yield from deblur_part_job(
            image, blur, part, model=request.model, axes=wanted.axes, device=wanted.device
        )
    )


def _volume_part_job(
    image: Any, wanted: Resolved, part: Part, estimated: Estimated
) -> Job[tuple[int, NDArray[np.float32]]]:
    blur = yield from find_blur_job(wanted.request(image, estimated.blur))
    assert not isinstance(blur, BlurEstimate)
    return (yield from deblur_volume_part_job(image, blur, part, axes=wanted.axes))


def _preview(
    estimated: Estimated,
    origin: tuple[int, ...],
    sharp: NDArray[np.float32],
    planes: Planes,
    *,
    of_plane_alone: bool = False,
) -> Preview:
    lead = (1,) * (len(planes.shape) - sharp.ndim)
    extent, bright = intensities_of(sharp)
    sharp = sharp.reshape(*lead, *sharp.shape)
    return Preview(estimated, origin, sharp, extent, bright, of_plane_alone)
