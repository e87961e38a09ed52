"""Detection of pixels without data: NaN, and parts of the field filled up with a constant.

Such parts come from deskewing, rotating, fusing, registering and masking, and from blocks of a
camera that are stuck or saturated.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["has_data"]

#: Connected pixels of the very same value that make a part of the field.
_FEWEST = 50

#: Difference between such a part and the image around it, in deviations of that image.
_DIFFERS = 3.0

#: Pixels around such a part that interpolation has mixed with it, and those compared with it.
_MIXED, _RIM = 2, 3

_PER_MEDIAN_DEVIATION = 1.4826

Mask = NDArray[np.bool_]


def has_data(image: NDArray[np.floating]) -> Mask:
    """Find the pixels that hold data.

    A part of the field holds none if its pixels are all equal and the image around it has
    other values: a background without noise, or one of few photons, is as dark around as
    inside.

    Parameters
    ----------
    image
        Counts, shape (Y, X).

    Returns
    -------
        False for pixels without data and the two pixels around them, shape (Y, X).
    """
    from scipy.ndimage import binary_dilation, find_objects, label

    finite = np.isfinite(image)
    values = np.where(finite, image, 0)
    lacking = ~finite
    parts, _ = label(_equal_squares(values) & finite)
    sizes = np.bincount(parts.ravel())
    margin = _MIXED + _RIM
    for number, box in enumerate(find_objects(parts), 1):
        if sizes[number] < _FEWEST:
            continue
        wide = tuple(slice(max(side.start - margin, 0), side.stop + margin) for side in box)
        own = parts[wide] == number
        if _differs(values[wide], own, finite[wide]):
            lacking[wide] |= own
    return np.asarray(~binary_dilation(lacking, iterations=_MIXED))


def _differs(values: NDArray[np.floating], part: Mask, finite: Mask) -> bool:
    """Compare the only value of a part with the image around it."""
    from scipy.ndimage import binary_dilation

    mixed = binary_dilation(part, iterations=_MIXED)
    around = values[binary_dilation(mixed, iterations=_RIM) & ~mixed & finite]
    if not len(around):
        return False
    level = np.median(around)
    deviation = _PER_MEDIAN_DEVIATION * np.median(np.abs(around - level))
    return bool(abs(level - values[part][0]) > _DIFFERS * deviation)


def _equal_squares(values: NDArray[np.floating]) -> Mask:
    """Pixels of squares of 2 × 2 pixels that all have one value."""
    same_in_row = values[:, :-1] == values[:, 1:]
    same_in_column = values[:-1] == values[1:]
    corner = same_in_row[:-1] & same_in_row[1:] & same_in_column[:, :-1]
    equal = np.zeros(values.shape, bool)
    for y in (slice(None, -1), slice(1, None)):
        for x in (slice(None, -1), slice(1, None)):
            equal[y, x] |= corner
    return equal
