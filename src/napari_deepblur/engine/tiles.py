"""Tiles of a plane, of the size that networks have seen in training."""

from __future__ import annotations

from math import ceil

import numpy as np

__all__ = ["SMALLEST_TILE", "TILE", "tile_slices"]

#: Side of the tiles that the identification network reads.
TILE = 128

#: A smaller one has no power spectrum: it is that of windows of this side.
SMALLEST_TILE = 32


def tile_slices(side: int) -> list[slice]:
    """Evenly spaced tiles along an axis of `SMALLEST_TILE` or more; at least two if possible.

    They overlap where the axis is short.
    """
    length = min(TILE, max(SMALLEST_TILE, ceil(0.75 * side)))
    n_tiles = max(2, ceil(side / length)) if side > length else 1
    starts = np.linspace(0, side - length, n_tiles).round().astype(int)
    return [slice(start, start + length) for start in starts.tolist()]
