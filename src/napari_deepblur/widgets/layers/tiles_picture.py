"""Several small pictures as tiles of one, in colours for values of both signs."""

from __future__ import annotations

import numpy as np
from napari.utils import Colormap
from numpy.typing import NDArray

__all__ = ["TILE_GAP", "signed_colormap", "tiled"]

#: Distance between tiles, in their pixels.
TILE_GAP = 2

#: Colours where values are largest and where they are least.
_ABOVE, _BELOW = (1.0, 0.65, 0.25), (0.25, 0.65, 1.0)


def signed_colormap() -> Colormap:
    """Make a colormap: orange above 0, blue below, black at 0; as bright as the root."""
    light = np.linspace(0, 1, 9)
    up, down = (light[:, None] * np.array(colour) for colour in (_ABOVE, _BELOW))
    controls = np.concatenate([-(light[:0:-1] ** 2), light**2]) / 2 + 0.5
    return Colormap(np.concatenate([down[:0:-1], up]), controls=controls, name="deepblur signed")


def tiled(tiles: NDArray[np.float32], height: int) -> NDArray[np.float32]:
    """Put tiles (K, h, w) below one another, in as many columns as the height asks for."""
    n, *sides = tiles.shape
    down, across = (side + TILE_GAP for side in sides)
    n_rows = min(n, max(1, (height + TILE_GAP) // down))
    n_columns = -(-n // n_rows)
    picture = np.zeros((n_rows * down - TILE_GAP, n_columns * across - TILE_GAP), np.float32)
    for index, tile in enumerate(tiles):
        top, left = index % n_rows * down, index // n_rows * across
        picture[top : top + sides[0], left : left + sides[1]] = tile
    return picture
