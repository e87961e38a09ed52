"""Partition of a plane into tiles that know their place and are blended into one another."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import ceil

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.tiles import Window

__all__ = ["Margins", "Tile", "field_region", "partition", "smallest_side", "whole"]


@dataclass(frozen=True, slots=True)
class Margins:
    """Margins of tiles, pixels.

    Attributes
    ----------
    halo
        Width of what is read around a tile and then dropped: its results are spoiled by the
        tile's border.
    blend
        Width over which neighbouring tiles fade into one another.
    multiple
        Number whose multiples tiles begin at.
    """

    halo: int
    blend: int
    multiple: int = 1


@dataclass(frozen=True, slots=True)
class _Span:
    """A tile along one axis of a field."""

    read: slice
    write: slice
    fade_in: int
    fade_out: int

    def weights(self) -> NDArray[np.float32]:
        """Weight of each pixel that is written; those of all tiles add up to 1."""
        weights = np.ones(self.write.stop - self.write.start, np.float32)
        if self.fade_in:
            weights[: self.fade_in] *= _rise(self.fade_in)
        if self.fade_out:
            weights[-self.fade_out :] *= _rise(self.fade_out)[::-1]
        return weights


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile of a field.

    Attributes
    ----------
    rows, columns
        The tile along each axis.
    field_shape
        (Y, X) of the whole field.
    """

    rows: _Span
    columns: _Span
    field_shape: tuple[int, int]

    @property
    def read(self) -> Window:
        """Part of the field that is read, halo included."""
        return self.rows.read, self.columns.read

    @property
    def write(self) -> Window:
        """Part of the field to which the tile's result is added."""
        return self.rows.write, self.columns.write

    @property
    def shape(self) -> tuple[int, int]:
        """(Y, X) of what is read."""
        height, width = (part.stop - part.start for part in self.read)
        return height, width

    @property
    def region(self) -> NDArray[np.float32]:
        """Field coordinates (y, x) of the first and last corner of what is read, shape (2, 2)."""
        return field_region(self.read, self.field_shape)

    def add_to(
        self, field: NDArray[np.float32], result: NDArray[np.float32], *, first_row: int = 0
    ) -> None:
        """Add the tile's result, of the shape that was read, to a field that began as zeros.

        Parameters
        ----------
        field
            The field, or some of its rows.
        result
            Result of the tile.
        first_row
            Row of the field that is the first one there.
        """
        inner = tuple(
            slice(write.start - read.start, write.stop - read.start)
            for read, write in zip(self.read, self.write, strict=True)
        )
        weights = self.rows.weights()[:, None] * self.columns.weights()
        rows, columns = self.write
        there = slice(rows.start - first_row, rows.stop - first_row)
        field[there, columns] += weights * result[inner]


def field_region(window: Window, field_shape: tuple[int, int]) -> NDArray[np.float32]:
    """Field coordinates (y, x) of the first and last corner of a part of a field, shape (2, 2)."""
    corners = np.array([[part.start, part.stop] for part in window], float).T
    return np.asarray(2 * corners / field_shape - 1, np.float32)


def partition(
    shape: tuple[int, int], side: int, margins: Margins, window: Window | None = None
) -> tuple[Tile, ...]:
    """Divide a field, or a part of it, into tiles, row by row; one tile where it is no larger.

    Parameters
    ----------
    shape
        (Y, X) of the field.
    side
        Largest side of what is read for a tile, pixels.
    margins
        Of the tiles.
    window
        Part of the field that is written; by default all of it.

    Raises
    ------
    ValueError
        If tiles of this side are too small for their margins.
    """
    if max(shape) > side and side < smallest_side(margins):
        raise ValueError(
            f"tiles of {side} pixels are too small for this blur: give "
            f"{smallest_side(margins)} or more"
        )
    parts = window or tuple(slice(0, length) for length in shape)
    rows, columns = (
        _spans(part, length, side, margins) for part, length in zip(parts, shape, strict=True)
    )
    return tuple(Tile(row, column, shape) for row in rows for column in columns)


def whole(shape: tuple[int, int]) -> Tile:
    """Take a field as one tile."""
    return Tile(_whole_span(shape[0]), _whole_span(shape[1]), shape)


def smallest_side(margins: Margins) -> int:
    """Find the smallest side of tiles of which no pixel is blended twice along an axis, pixels."""
    return 2 * margins.halo + 3 * margins.blend + margins.multiple + 2


def _spans(part: slice, length: int, side: int, margins: Margins) -> list[_Span]:
    """Divide a part of an axis of some length."""
    single = _span(part.start, part.stop, part, length, margins)
    if single.read.stop - single.read.start <= side:
        return [single]
    core = side - 2 * margins.halo - margins.blend - margins.multiple
    n_tiles = ceil((part.stop - part.start) / core)
    borders = np.linspace(part.start, part.stop, n_tiles + 1).round().astype(int).tolist()
    return [_span(first, last, part, length, margins) for first, last in pairwise(borders)]


def _whole_span(length: int) -> _Span:
    return _Span(slice(0, length), slice(0, length), 0, 0)


def _span(first: int, last: int, part: slice, length: int, margins: Margins) -> _Span:
    half = margins.blend // 2
    fade_in, fade_out = (
        2 * half if inside else 0 for inside in (first > part.start, last < part.stop)
    )
    write = slice(max(part.start, first - half), min(part.stop, last + half))
    start = max(0, write.start - margins.halo)
    start -= start % margins.multiple
    return _Span(slice(start, min(length, write.stop + margins.halo)), write, fade_in, fade_out)


def _rise(n_pixels: int) -> NDArray[np.float32]:
    """Smooth rise from 0 to 1 that makes 1 with its mirror image."""
    phase = np.pi * (np.arange(n_pixels) + 0.5) / n_pixels
    return np.asarray(0.5 - 0.5 * np.cos(phase), np.float32)
