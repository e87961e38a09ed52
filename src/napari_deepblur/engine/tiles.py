"""Tiles of a plane, of the size that networks have seen in training."""

from __future__ import annotations

from math import ceil

import numpy as np
from numpy.typing import NDArray

__all__ = ["SMALLEST_TILE", "TILE", "Window", "tile_places", "tile_slices", "tile_windows"]

Window = tuple[slice, slice]

#: Side of the tiles that the identification network reads.
TILE = 128

#: A smaller one has no power spectrum: it is that of windows of this side.
SMALLEST_TILE = 32

#: Distance between the places to which a tile without data may be moved, pixels, and share of
#: pixels by which a tile may have fewer data than the best of them.
_STRIDE, _FEWER = 8, 0.01


def tile_slices(side: int, *, density: int = 1) -> list[slice]:
    """Evenly spaced tiles along an axis of `SMALLEST_TILE` or more; at least two if possible.

    They overlap where the axis is short, and by half if `density` is 2.
    """
    length = min(TILE, max(SMALLEST_TILE, ceil(0.75 * side)))
    n_tiles = max(2, ceil(side / length)) if side > length else 1
    n_tiles = density * (n_tiles - 1) + 1
    starts = np.linspace(0, side - length, n_tiles).round().astype(int)
    return [slice(start, start + length) for start in starts.tolist()]


def tile_windows(
    shape: tuple[int, int], *, density: int = 1, valid: NDArray[np.bool_] | None = None
) -> list[Window]:
    """Tiles of a plane, row by row.

    Parameters
    ----------
    shape
        (Y, X) of the plane.
    density
        As for `tile_slices`.
    valid
        Where the plane holds data, same shape; by default everywhere. A tile that lacks some is
        moved to the nearest place that has data in full, or as much as any place has.
    """
    rows, columns = (tile_slices(side, density=density) for side in shape)
    windows = [(row, column) for row in rows for column in columns]
    return windows if valid is None else _moved_to_data(windows, valid)


def _moved_to_data(windows: list[Window], valid: NDArray[np.bool_]) -> list[Window]:
    """Find the nearest windows of the same size with the most data."""
    height, width = (part.stop - part.start for part in windows[0])
    total = np.pad(valid.astype(float), ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    below, right = total[height:], total[:, width:]
    share = (below[:, width:] - below[:, :-width] - right[:-height] + total[:-height, :-width]) / (
        height * width
    )
    enough = share >= share.max() - _FEWER
    coarse = np.zeros_like(enough)
    coarse[::_STRIDE, ::_STRIDE] = True
    choice = np.argwhere(enough & coarse if (enough & coarse).any() else enough)
    moved = []
    for row, column in windows:
        top, left = row.start, column.start
        if not enough[top, left]:
            top, left = choice[np.square(choice - (top, left)).sum(1).argmin()].tolist()
        moved.append((slice(top, top + height), slice(left, left + width)))
    return moved


def tile_places(shape: tuple[int, int], windows: list[Window]) -> NDArray[np.float32]:
    """Normalised field coordinates of the tiles' centres: (T, 2), ±1 the borders."""
    centres = [[part.start + part.stop for part in window] for window in windows]
    return np.asarray(np.array(centres) / np.array(shape) - 1, np.float32)
