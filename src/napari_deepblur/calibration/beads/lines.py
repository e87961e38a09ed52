"""Rows and columns of a camera that are brighter or darker than those beside them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["line_levels"]

#: A line is off if its median is so many of its standard errors away, and unsound if by more
#: than so many deviations of its pixels: then its pixels do not count at all.
_OFF, _UNSOUND = 5.0, 5.0

#: Lines beside one, itself among them, that it is compared with.
_BESIDE = 7

#: Standard error of a median by that of a mean.
_MEDIAN_BY_MEAN = 1.2533

Counts = NDArray[np.float32]
Mask = NDArray[np.bool_]


def line_levels(excess: Counts, noise: Counts, valid: Mask) -> tuple[Counts, Mask]:
    """Level of each row and column above its surroundings, and which pixels are sound.

    Parameters
    ----------
    excess
        Counts above the smooth background, shape (Y, X).
    noise
        Standard deviation, counts, same shape.
    valid
        Pixels that hold data, same shape.

    Returns
    -------
    levels
        Counts, 0 where a line is like the others, shape (Y, X).
    sound
        False on lines that stand out by more than single pixels' noise, shape (Y, X).
    """
    from scipy.ndimage import median_filter

    levels, sound = np.zeros_like(excess), np.ones(excess.shape, bool)
    for axis in (1, 0):
        rest = excess - levels
        # Columns are rows of the transposed image.
        parts = (rest, noise, valid) if axis == 1 else (rest.T, noise.T, valid.T)
        level, error, own_noise = _medians(*parts)
        # Compared with the lines beside: what varies slowly is background.
        level = level - median_filter(level, _BESIDE, mode="nearest")
        level = np.where(np.abs(level) > _OFF * error, level, 0)
        levels += np.expand_dims(level, axis)
        sound &= np.expand_dims(np.abs(level) <= _UNSOUND * own_noise, axis)
    return levels, sound


def _medians(excess: Counts, noise: Counts, valid: Mask) -> tuple[Counts, Counts, Counts]:
    """Median of each row, its standard error, and the noise of the row's pixels."""
    n = valid.sum(1)
    level, own_noise = np.zeros(len(n), np.float32), np.full(len(n), np.inf, np.float32)
    for row in np.flatnonzero(n):
        level[row] = np.median(excess[row][valid[row]])
        own_noise[row] = np.median(noise[row][valid[row]])
    return level, _MEDIAN_BY_MEAN * own_noise / np.sqrt(n.clip(1)).astype(np.float32), own_noise
