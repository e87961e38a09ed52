"""Planes that are too large for memory, seen part by part as smaller ones are seen as a whole.

What the parts of a plane must agree on is measured in one pass over all of it: how much pixels
differ from their neighbours, which rows and columns of the camera are faulty, and the values of
areas without data.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.axes import Planes
from napari_deepblur.engine.events import Event, Job
from napari_deepblur.engine.hot_pixels import spread_of_neighbours
from napari_deepblur.engine.smoothing import transposed
from napari_deepblur.engine.tiles import Window
from napari_deepblur.engine.valid_pixels import (
    ValidPlane,
    areas_of_values,
    empty_areas,
    lines_that_stand_out,
)

__all__ = [
    "BAND",
    "PlaneRows",
    "SeenPlane",
    "StoredPlane",
    "bands_of",
    "is_blank",
    "parts_with_data",
    "row_bands",
    "seen_plane_job",
    "spread_windows",
]

#: Pixels of the largest plane that is held in memory as a whole: 4096 × 4096.
_LARGEST_WHOLE = 2**24

#: Rows of the bands in which a larger one is looked through: those of a chunk of a file.
BAND = 512

#: What is read around a part, pixels: small areas without data are recognised by their size.
_HALO = 32

#: Rows and columns that are looked at for faulty ones of the others.
_LOOKED_AT = 1024


class SeenPlane(Protocol):
    """A plane whose pixels without data are known, and whose hot pixels are repaired."""

    @property
    def shape(self) -> tuple[int, int]:
        """(Y, X)."""

    @property
    def is_whole(self) -> bool:
        """True if there is data everywhere."""

    def part(self, window: Window) -> ValidPlane:
        """Part of the plane."""


def seen_plane_job(planes: Planes, index: int, at: Event) -> Job[SeenPlane | None]:
    """Look at a plane by its number; None if it is blank.

    Parameters
    ----------
    planes
        The image.
    index
        Number of the plane.
    at
        What is told between the steps.
    """
    if len(row_bands(planes.plane_shape)) > 1:
        return (yield from _measured_job(planes, index, at))
    yield at
    plane = planes.unless_blank(index)
    return None if plane is None else ValidPlane.of(plane)


def is_blank(planes: Planes, index: int) -> bool:
    """Tell whether all numbers of a plane are equal, or there are none."""
    low, high = np.inf, -np.inf
    for rows in row_bands(planes.plane_shape):
        band = planes.read(index, (rows, slice(None)))
        numbers = band[np.isfinite(band)]
        if numbers.size:
            low, high = min(low, float(numbers.min())), max(high, float(numbers.max()))
    return not low < high


def row_bands(shape: tuple[int, int]) -> list[slice]:
    """Rows of a plane that are held in memory at once: all, or as many as a chunk of a file has."""
    height, width = shape
    if height * width <= _LARGEST_WHOLE:
        return [slice(0, height)]
    # No last one of a few rows, which would be narrower than what is looked for in it.
    firsts = range(0, max(height - BAND // 2, 1), BAND)
    return [slice(first, height if first == firsts[-1] else first + BAND) for first in firsts]


def spread_windows(shape: tuple[int, int], side: int, n_along: int) -> list[Window]:
    """Parts of a plane that are spread over it evenly, from border to border.

    Parameters
    ----------
    shape
        (Y, X) of the plane.
    side
        Side of the parts, pixels.
    n_along
        Number of parts along each axis, fewer where they would overlap.
    """
    if len(row_bands(shape)) == 1:
        return [(slice(0, shape[0]), slice(0, shape[1]))]
    rows, columns = (
        [
            slice(first, first + min(side, length))
            for first in np.linspace(0, max(length - side, 0), min(n_along, max(1, length // side)))
            .round()
            .astype(int)
            .tolist()
        ]
        for length in shape
    )
    return [(row, column) for row in rows for column in columns]


def parts_with_data(
    seen: SeenPlane, side: int, n_along: int
) -> Iterator[tuple[ValidPlane, Window]]:
    """Look at parts of a plane that are spread over it, and where they lie.

    In place of those that hold too few data, others come once more: planes of one shape have the
    same number of parts, if any.

    Parameters
    ----------
    seen
        The plane.
    side, n_along
        As for `spread_windows`.
    """
    windows = spread_windows(seen.shape, side, n_along)
    with_data: list[Window] = []
    for window in windows:
        part = seen.part(window)
        if len(windows) > 1 and not part.has_picture:
            continue
        yield part, window
        with_data.append(window)
    for number in range(len(windows) - len(with_data) if with_data else 0):
        window = with_data[number % len(with_data)]
        yield seen.part(window), window


@dataclass(frozen=True, slots=True)
class PlaneRows:
    """Rows of one plane of an image, an array or a file, which are read and written.

    Attributes
    ----------
    image
        The image, Y and X last.
    position
        Index of the plane along the leading axes.
    """

    image: Any
    position: tuple[int, ...]

    def __getitem__(self, rows: slice) -> NDArray[np.float32]:
        return np.asarray(self.image[(*self.position, rows)], np.float32)

    def __setitem__(self, rows: slice, values: NDArray[np.float32]) -> None:
        is_whole = rows == slice(0, self.image.shape[-2])
        self.image[self.position if is_whole else (*self.position, rows)] = values


@dataclass(frozen=True, slots=True)
class StoredPlane:
    """A plane whose parts are read when they are looked at.

    Attributes
    ----------
    planes
        The image.
    index
        Number of the plane.
    lowest
        Lowest number of the plane.
    usual_spread
        Mean range of the eight neighbours of a pixel.
    values
        Values of areas without data.
    rows, columns
        Numbers of faulty rows and columns.
    is_finite
        True if all pixels are finite.
    """

    planes: Planes
    index: int
    lowest: float
    usual_spread: float
    values: NDArray[np.float32]
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    is_finite: bool

    @property
    def shape(self) -> tuple[int, int]:
        """(Y, X)."""
        return self.planes.plane_shape

    @property
    def is_whole(self) -> bool:
        """True if there is data everywhere."""
        return self.is_finite and not (len(self.values) or len(self.rows) or len(self.columns))

    def part(self, window: Window) -> ValidPlane:
        """Read a part, and repair it as the whole would be."""
        around = [
            slice(max(0, side.start - _HALO), min(length, side.stop + _HALO))
            for side, length in zip(window, self.shape, strict=True)
        ]
        plane = self.planes.read(self.index, (around[0], around[1]))
        empty = areas_of_values(plane, self.values)
        faults = np.zeros(plane.shape, bool)
        for axis, numbers in enumerate((self.rows, self.columns)):
            here = numbers[(numbers >= around[axis].start) & (numbers < around[axis].stop)]
            faults.swapaxes(0, axis)[here - around[axis].start] = True
        rows, columns = (
            slice(side.start - wide.start, side.stop - wide.start)
            for side, wide in zip(window, around, strict=True)
        )
        if (empty | faults).all():
            plane = np.full_like(plane, self.lowest)
            return ValidPlane(plane, np.zeros_like(empty), empty, plane).part((rows, columns))
        seen = ValidPlane.knowing(plane, empty, faults, self.usual_spread)
        return seen.part((rows, columns))


def bands_of(seen: SeenPlane, above: int = 0, below: int = 0) -> Iterator[tuple[ValidPlane, slice]]:
    """Bands of a plane with some rows around them, and where in them the band itself is.

    Parameters
    ----------
    seen
        The plane.
    above, below
        Number of rows around each band, as far as the plane has them.
    """
    height, width = seen.shape
    for band in row_bands(seen.shape):
        first, last = max(0, band.start - above), min(height, band.stop + below)
        part = seen.part((slice(first, last), slice(0, width)))
        yield part, slice(band.start - first, band.stop - first)


def _measured_job(planes: Planes, index: int, at: Event) -> Job[StoredPlane | None]:
    """Look through a plane in bands."""
    height, width = planes.plane_shape
    low, high, total, is_finite = np.inf, -np.inf, 0.0, True
    values: set[float] = set()
    some_rows, some_columns = (
        np.unique(np.linspace(0, side - 1, min(side, _LOOKED_AT)).round().astype(int))
        for side in (height, width)
    )
    across = np.empty((len(some_rows), width), np.float32)
    down = np.empty((height, len(some_columns)), np.float32)
    for band in row_bands(planes.plane_shape):
        yield at
        first, last = max(0, band.start - _HALO), min(height, band.stop + _HALO)
        plane = planes.read(index, (slice(first, last), slice(0, width)))
        finite = np.isfinite(plane)
        numbers = plane[finite] if not finite.all() else plane
        is_finite &= numbers.size == plane.size
        if numbers.size == 0:
            down[band] = np.nan
            across[(some_rows >= band.start) & (some_rows < band.stop)] = np.nan
            continue
        low, high = min(low, float(numbers.min())), max(high, float(numbers.max()))
        if numbers.min() < numbers.max():
            empty, _ = empty_areas(plane)
            values |= set(np.unique(plane[empty & finite]).tolist())
            total += spread_of_neighbours(plane[band.start - first : band.stop - first])
        down[band] = plane[band.start - first : band.stop - first, some_columns]
        here = (some_rows >= band.start) & (some_rows < band.stop)
        across[here] = plane[some_rows[here] - first]
    if not low < high:
        return None
    known = np.array(sorted(values), np.float32)
    for sample in (across, down):
        sample[~np.isfinite(sample) | np.isin(sample, known)] = np.nan
    rows, columns = lines_that_stand_out(down), lines_that_stand_out(transposed(across))
    return StoredPlane(
        planes, index, low, total / (height * width), known, rows, columns, is_finite
    )
