"""Tiles of a plane, of the size that networks have seen in training."""

from __future__ import annotations

from math import ceil

import numpy as np

__all__ = ["SMALLEST_TILE", "TILE", "tile_places", "tile_slices"]

#: Side of the tiles that the identification network reads.
TILE = 128

#: A smaller one has no power spectrum: it is that of windows of this side.
SMALLEST_TILE = 32


def tile_slices(side: int, *, density: int = 1) -> list[slice]:
    """Evenly spaced tiles along an axis of `SMALLEST_TILE` or more; at least two if possible.

    They overlap where the axis is short, and by half if `density` is 2.
    """
    length = min(TILE, max(SMALLEST_TILE, ceil(0.75 * side)))
    n_tiles = max(2, ceil(side / length)) if side > length else 1
    n_tiles = density * (n_tiles - 1) + 1
    starts = np.linspace(0, side - length, n_tiles).round().astype(int)
    return [slice(start, start + length) for start in starts.tolist()]


def tile_places(shape: tuple[int, int], *, density: int = 1) -> np.ndarray:
    """Normalised field coordinates of the tiles' centres, row by row: (T, 2), ±1 the borders."""
    rows, columns = (
        [(part.start + part.stop) / side - 1 for part in tile_slices(side, density=density)]
        for side in shape
    )
    return np.array([(row, column) for row in rows for column in columns], np.float32)
