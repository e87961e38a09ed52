"""Deblur a part of one plane, to see soon what deblurring all of it would give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.axes import Planes
from napari_deepblur.engine.blur import BlurEstimate
from napari_deepblur.engine.deblur import deblurring_network_job
from napari_deepblur.engine.devices import Device, memory_guard
from napari_deepblur.engine.events import Job
from napari_deepblur.engine.partition import Tile, field_region, partition, smallest_side
from napari_deepblur.engine.photometry import Photometry
from napari_deepblur.engine.tile_restoration import largest_tile, restore_tiles_job, tile_margins
from napari_deepblur.engine.tiles import Window
from napari_deepblur.engine.valid_pixels import ValidPlane
from napari_deepblur.errors import ImageError

if TYPE_CHECKING:
    from pathlib import Path

    from napari_deepblur.engine.models import Model
    from napari_deepblur.networks.unrolled import Unrolled
    from napari_deepblur.operators.fourier_blur import FourierBlur

__all__ = ["Part", "deblur_part_job", "surroundings"]

#: Halo at the canonical cutoff, besides half a PSF, pixels. Half of that of `deblur`: what a part
#: differs by from the whole plane is then its brightness and noise, and not its border.
_HALO = 24

#: Side of the surroundings in which brightness and noise are measured, pixels, unless the part is
#: larger: a plane of up to this size is measured as `deblur` does it.
_SURROUNDINGS = 1024


@dataclass(frozen=True, slots=True)
class Part:
    """A part of one plane of an image.

    Attributes
    ----------
    plane
        Number of the plane, the last leading axis running fastest.
    rows, columns
        Of the plane.
    """

    plane: int
    rows: slice
    columns: slice

    @property
    def window(self) -> Window:
        """Rows and columns."""
        return self.rows, self.columns

    @property
    def shape(self) -> tuple[int, int]:
        """(Y, X)."""
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start


def deblur_part_job(
    image: Any,
    blur: BlurEstimate,
    part: Part,
    *,
    model: str | Path | Model | None = None,
    axes: str | None = None,
    device: Device = "auto",
) -> Job[NDArray[np.float32]]:
    """Take the blur out of a part of one plane, as a job; what lies around it is read too.

    The result is nearly that of `deblur`. It differs by the factor, within some percent of 1,
    with which `deblur` gives the plane its light back; and in planes of more than 1024 pixels a
    side by the brightness and noise that networks are told, which are those of the part's
    surroundings.

    Parameters
    ----------
    image
        Observed, counts, shape (…, Y, X) with up to five axes.
    blur
        As estimated from it, or from another image of the same microscope.
    part
        What is wanted.
    model, axes, device
        As for `deblur`.

    Returns
    -------
        Counts, float32, shape (Y, X) of the part.

    Raises
    ------
    ImageError
        If the image cannot be used, or does not have this part.
    ModelError
        If the model is unknown or damaged.
    DeviceError
        If the device is absent or out of memory.
    """
    planes = Planes.of(image, axes)
    _require_inside(part, planes)
    network = yield from deblurring_network_job(planes, blur, model=model, device=device)
    with memory_guard():
        return (yield from _restored_job(planes, blur, part, network))


def _restored_job(
    planes: Planes, blur: BlurEstimate, part: Part, network: Unrolled
) -> Job[NDArray[np.float32]]:
    cutoff = blur.optics.cutoff
    margins = tile_margins(network, max(blur.psf().shape), cutoff, halo_px=_HALO)
    around = surroundings(part.window, planes.plane_shape, margins.halo, margins.multiple)
    seen = planes.read(part.plane, around)
    top, left = (side.start for side in around)
    inner = tuple(
        slice(own.start - side.start, own.stop - side.start)
        for own, side in zip(part.window, around, strict=True)
    )
    numbers = seen[np.isfinite(seen)]
    if numbers.size == 0 or numbers.min() == numbers.max():
        return seen[inner]
    observed = ValidPlane.of(seen)
    photometry = Photometry.of(observed, cutoff)
    side = max(largest_tile(network, blur.family.n_convolutions), smallest_side(margins))
    tiles = partition(observed.image.shape, side, margins, (inner[0], inner[1]))

    def operator_of(tile: Tile) -> FourierBlur:
        rows, columns = tile.read
        place = (
            slice(top + rows.start, top + rows.stop),
            slice(left + columns.start, left + columns.stop),
        )
        return blur.tile_operator(part.plane, tile.shape, field_region(place, planes.plane_shape))

    sharp = np.zeros(seen.shape, np.float32)
    yield from restore_tiles_job(
        network,
        observed,
        photometry,
        tiles,
        operator_of,
        put=lambda tile, result: tile.add_to(sharp, result),
    )
    return np.ascontiguousarray(observed.with_empty_areas(sharp)[inner])


def surroundings(
    window: Window, plane_shape: tuple[int, int], halo: int, multiple: int = 1
) -> Window:
    """Part of a plane that is read for a smaller one: with its halo, and not too small.

    Parameters
    ----------
    window
        Rows and columns of the smaller part.
    plane_shape
        (Y, X) of the plane.
    halo
        Least distance between the borders of both, pixels, where the plane has them.
    multiple
        Number whose multiples it begins at.
    """
    rows, columns = (
        _around(part, length, halo, multiple)
        for part, length in zip(window, plane_shape, strict=True)
    )
    return rows, columns


def _around(part: slice, length: int, halo: int, multiple: int) -> slice:
    margin = max(halo, (_SURROUNDINGS - (part.stop - part.start)) // 2)
    first, last = part.start - margin, part.stop + margin
    # What one border of the plane cuts off is added at the other.
    first, last = first - max(0, last - length), last - min(0, first)
    first = max(0, first)
    return slice(first - first % multiple, min(length, last))


def _require_inside(part: Part, planes: Planes) -> None:
    inside = all(
        0 <= own.start < own.stop <= length
        for own, length in zip(part.window, planes.plane_shape, strict=True)
    )
    if not (inside and 0 <= part.plane < len(planes)):
        raise ImageError(f"the image of shape {planes.shape} has no such part: {part}")
