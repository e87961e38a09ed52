"""Single pixels of a camera that are far too bright, replaced by their neighbours' mean."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["spread_of_neighbours", "without_hot_pixels"]

#: How far a hot pixel stands out, by the range of its eight neighbours. The image of a point
#: at cutoff 0.35 reaches 3.4 without aberrations and 7 with the strongest of the families.
_STANDS_OUT = 8

_NEIGHBOURS = [place for place in product((0, 1, 2), repeat=2) if place != (1, 1)]

Planes = TypeVar("Planes", NDArray[np.float32], "Tensor")


def without_hot_pixels(plane: Planes, usual_spread: float | None = None) -> Planes:
    """Replace every pixel that no optics can have made by the mean of its neighbours.

    A pixel p is hot where p - max > 8 (max - min) over its eight neighbours: light spreads over
    some pixels, so the image of a point has a neighbour nearly as bright. The range that
    neighbours have in the mean over the plane counts where theirs is smaller, or single
    photons on a black ground would be hot.

    Parameters
    ----------
    plane
        Shape (..., Y, X), a float array of numpy or torch.
    usual_spread
        Range that neighbours have in the mean, where this is a part of a larger plane.

    Returns
    -------
        New array of the same kind and shape, float32 for numpy.
    """
    import torch

    if isinstance(plane, torch.Tensor):
        return _repaired(plane, usual_spread)
    whole = torch.from_numpy(np.array(plane, np.float32))
    repaired: NDArray[np.float32] = _repaired(whole, usual_spread).numpy()
    return repaired


def spread_of_neighbours(plane: NDArray[np.float32]) -> float:
    """Sum of the ranges of the eight neighbours of each pixel of a plane, where they are finite."""
    import torch

    _, _, spread = _neighbours(torch.from_numpy(plane))
    return float(spread.nan_to_num_(0, 0, 0).sum(dtype=torch.float64))


def _repaired(plane: Tensor, usual_spread: float | None) -> Tensor:
    if min(plane.shape[-2:]) < 2:
        return plane.clone()
    brightest, mean, spread = _neighbours(plane)
    if usual_spread is None:
        least = spread.mean((-2, -1), keepdim=True)
    else:
        least = spread.new_tensor(usual_spread)
    return mean.where(plane - brightest > _STANDS_OUT * spread.maximum(least), plane)


def _neighbours(plane: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Highest value, mean and range of the eight neighbours of each pixel."""
    from torch.nn import functional

    height, width = plane.shape[-2:]
    # Mirrored: a border pixel has some neighbours twice, but never itself.
    padded = functional.pad(plane.reshape(-1, height, width), (1, 1, 1, 1), mode="reflect")
    padded = padded.reshape(*plane.shape[:-2], height + 2, width + 2)
    first, *others = (padded[..., y : y + height, x : x + width] for y, x in _NEIGHBOURS)
    brightest, darkest, total = first, first, first
    for other in others:
        brightest, darkest = brightest.maximum(other), darkest.minimum(other)
        total = total + other
    return brightest, total / len(_NEIGHBOURS), brightest - darkest
