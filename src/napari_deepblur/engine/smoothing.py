"""Gaussian means, local maxima and transposes of planes, quicker than those of SciPy and NumPy."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["gaussian_mean", "highest_nearby", "transposed"]

#: Rows of the result of one product with a matrix. Most entries of a larger one are zero, and of a
#: smaller one more rows are read twice.
_ROWS = 64


def gaussian_mean(
    plane: NDArray[np.float32], width: float, *, truncate: float = 4.0
) -> NDArray[np.float32]:
    """Smooth a plane by a Gaussian; beyond its border it is continued by its mirror image.

    The same as `scipy.ndimage.gaussian_filter` with ``mode="mirror"``, up to rounding: along each
    axis a product with a matrix of few diagonals, block by block.

    Parameters
    ----------
    plane
        Shape (Y, X).
    width
        Standard deviation, pixels.
    truncate
        Radius at which the Gaussian is cut off, standard deviations.
    """
    import torch

    radius = int(truncate * width + 0.5)
    if radius == 0:
        return plane.copy()
    matrix = _matrix(width, radius)
    down = _filtered(torch.from_numpy(np.ascontiguousarray(plane)), matrix, radius, 0)
    return np.asarray(_filtered(down, matrix, radius, 1).numpy(), np.float32)


def transposed(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Transpose a plane in memory, several times faster than NumPy does."""
    import torch

    return np.asarray(torch.from_numpy(plane).T.contiguous().numpy(), np.float32)


def highest_nearby(plane: NDArray[np.float32], reach: int) -> NDArray[np.float32]:
    """Highest value within a square around each pixel.

    Parameters
    ----------
    plane
        Shape (Y, X).
    reach
        Half the side of the square, pixels: it has 2 · reach + 1.
    """
    return transposed(_highest_below(transposed(_highest_below(plane, reach)), reach))


@lru_cache(maxsize=32)
def _matrix(width: float, radius: int) -> Tensor:
    """Weights of the rows of a block and around it, for each row: shape (rows, rows + 2 radius)."""
    import torch

    weights = np.exp(-0.5 * np.square(np.arange(-radius, radius + 1) / width))
    weights /= weights.sum()
    matrix = np.zeros((_ROWS, _ROWS + 2 * radius), np.float32)
    for row in range(_ROWS):
        matrix[row, row : row + 2 * radius + 1] = weights
    return torch.from_numpy(matrix)


def _filtered(plane: Tensor, matrix: Tensor, radius: int, dim: int) -> Tensor:
    """Filter along the columns (dimension 0) or the rows (1)."""
    import torch

    side = plane.shape[dim]
    places = torch.from_numpy(np.pad(np.arange(side), radius, mode="reflect"))
    before, after = places[:radius], places[side + radius :]
    padded = torch.cat(
        [plane.index_select(dim, before), plane, plane.index_select(dim, after)], dim
    )
    filtered = torch.empty_like(plane)
    for first in range(0, side, _ROWS):
        rows = min(_ROWS, side - first)
        weights = matrix[:rows, : rows + 2 * radius]
        around = padded.narrow(dim, first, rows + 2 * radius)
        pair = (weights, around) if dim == 0 else (around, weights.T)
        torch.mm(*pair, out=filtered.narrow(dim, first, rows))
    return filtered


def _highest_below(plane: NDArray[np.float32], reach: int) -> NDArray[np.float32]:
    """Highest value along the columns, over windows that double until they are wide enough."""
    import torch

    edge = torch.full((reach, plane.shape[1]), -math.inf)
    highest = torch.cat([edge, torch.from_numpy(plane), edge])
    wanted, side = 2 * reach + 1, 1
    while side < wanted:
        step = min(side, wanted - side)
        highest = torch.maximum(highest[:-step], highest[step:])
        side += step
    return np.asarray(highest.numpy(), np.float32)
