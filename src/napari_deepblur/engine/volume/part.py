"""Deblur a part of one volume in 3-D, to see soon what deblurring all of it would give."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.axes import SMALLEST_SIDE
from napari_deepblur.engine.events import Job
from napari_deepblur.engine.part import Part
from napari_deepblur.engine.volume.blur import VolumeBlurEstimate
from napari_deepblur.engine.volume.deblur import deblur_volumes_job
from napari_deepblur.engine.volume.stacks import Stacks

__all__ = ["deblur_volume_part_job"]

#: Width of what is read around a part, pixels.
_HALO = 32

#: Planes around the part's own that are deblurred with it, at most: others hold little light of it.
_MOST_PLANES = 40


def deblur_volume_part_job(
    image: Any, blur: VolumeBlurEstimate, part: Part, *, axes: str | None = None
) -> Job[tuple[int, NDArray[np.float32]]]:
    """Take the 3-D blur out of a part of one volume, through its planes, as a job.

    The result is like that of `deblur`, and not the same: when to stop, noise, background and the
    light from outside are read off the part and what lies around it.

    Parameters
    ----------
    image
        Observed, counts, shape (Z, Y, X) or (T, Z, Y, X).
    blur
        Of the image, or of another one of the same microscope.
    part
        Rows and columns that are wanted, and a plane of the volume.
    axes
        Letters of TCZYX, one per dimension; by default the last ones.

    Returns
    -------
    first
        Number of the first plane within the volume: where it has more than 40, the part has
        those around its plane.
    sharp
        Float32, shape (Z, Y, X).

    Raises
    ------
    ImageError
        If the image is no stack, or has another number of volumes than the blur.
    """
    stacks = Stacks.of(image, axes)
    blur.require_fit(stacks.n_volumes)
    volume, z = divmod(part.plane, stacks.n_planes)
    depth = min(stacks.n_planes, _MOST_PLANES)
    first = min(max(z - depth // 2, 0), stacks.n_planes - depth)
    around = [
        _around(own, length)
        for own, length in zip(part.window, stacks.planes.plane_shape, strict=True)
    ]
    seen = np.stack(
        [
            stacks.planes.read(volume * stacks.n_planes + plane, (around[0], around[1]))
            for plane in range(first, first + depth)
        ]
    )
    sharp = yield from deblur_volumes_job(seen, blur.only(volume), axes="ZYX")
    rows, columns = (
        slice(own.start - side.start, own.stop - side.start)
        for own, side in zip(part.window, around, strict=True)
    )
    return first, np.ascontiguousarray(sharp[:, rows, columns])


def _around(part: slice, length: int) -> slice:
    halo = max(_HALO, -(-(SMALLEST_SIDE - (part.stop - part.start)) // 2))
    first = min(max(0, part.start - halo), max(0, length - SMALLEST_SIDE))
    return slice(first, min(length, max(part.stop + halo, first + SMALLEST_SIDE)))
