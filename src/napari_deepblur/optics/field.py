"""Field coordinates: ±1 at the outer edges of the first and last pixel of the image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["field_grid", "to_field"]


def to_field(position_yx: ArrayLike, shape: Sequence[int]) -> NDArray[np.float64]:
    """Convert pixel positions into field coordinates.

    Parameters
    ----------
    position_yx
        Positions y, x in pixels, whole numbers at pixel centres, shape (..., 2).
    shape
        (Y, X) of the image.

    Returns
    -------
        Field coordinates, shape (..., 2).
    """
    coordinates: NDArray[np.float64] = (2 * np.asarray(position_yx, float) + 1) / shape - 1
    return coordinates


def field_grid(n_y: int, n_x: int) -> NDArray[np.float64]:
    """Field coordinates of the centres of n_y × n_x equal parts, row by row, shape (n, 2)."""
    y, x = ((2 * np.arange(n) + 1) / n - 1 for n in (n_y, n_x))
    return np.stack(np.meshgrid(y, x, indexing="ij"), -1).reshape(-1, 2)
