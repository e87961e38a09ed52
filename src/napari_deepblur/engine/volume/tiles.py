"""Lateral tiles in which a volume too large for memory is deblurred, and their weights."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from math import prod

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.volume.stacks import Region

__all__ = ["OVERLAP", "tiles_of", "weights_of"]

#: How far tiles overlap, pixels.
OVERLAP = 64

#: Tiles that are narrower overlap nearly all over.
_NARROWEST = 2 * OVERLAP


def tiles_of(
    whole: Region, domain_of: Callable[[tuple[int, ...]], tuple[int, ...]], largest: int
) -> list[Region]:
    """Fewest equal tiles whose domains fit; each holds all planes.

    Parameters
    ----------
    whole
        Volume.
    domain_of
        Shape of the domain of a tile by the tile's shape.
    largest
        Number of a domain's voxels that fits; narrow tiles may be larger.
    """
    counts = [1, 1]
    while True:
        rows, columns = (
            _equal_parts(part.stop, count)
            for part, count in zip((whole.rows, whole.columns), counts, strict=True)
        )
        tiles = [Region(whole.planes, row, column) for row, column in product(rows, columns)]
        _, height, width = tiles[0].shape
        longer = int(width > height)
        if prod(domain_of(tiles[0].shape)) <= largest or max(height, width) <= _NARROWEST:
            return tiles
        counts[longer] += 1


def weights_of(tile: Region, whole: Region) -> NDArray[np.float32]:
    """Weights of a tile, shape (Y, X): small near borders beyond which other tiles know more."""
    row, column = (
        _weights_along(part, side.stop)
        for part, side in ((tile.rows, whole.rows), (tile.columns, whole.columns))
    )
    return row[:, None] * column


def _equal_parts(side: int, count: int) -> list[slice]:
    length = min(-(-(side + (count - 1) * OVERLAP) // count), side)
    starts = np.linspace(0, side - length, count).round().astype(int)
    return [slice(start, start + length) for start in starts.tolist()]


def _weights_along(part: slice, side: int) -> NDArray[np.float32]:
    places = np.arange(part.stop - part.start, dtype=np.float32)
    quarter = OVERLAP / 4
    before = np.clip((places - quarter) / (2 * quarter), 1e-6, 1) if part.start else 1
    after = np.clip((places[::-1] - quarter) / (2 * quarter), 1e-6, 1) if part.stop < side else 1
    return np.asarray(before * after * np.ones_like(places), np.float32)
