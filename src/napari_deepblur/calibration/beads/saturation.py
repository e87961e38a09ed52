"""Level at which a camera's counts end, read off the image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["saturation_level"]

#: Part of the range below the maximum to which the maximum is compared.
_TOP = 0.1

#: Pixels that must share the maximum, and by how many times they must outnumber those of the
#: other counts near the top.
_FEWEST, _SPIKE = 3, 4

#: With fewer whole counts than this, even the top of a bead is flat.
_FEWEST_COUNTS = 32


def saturation_level(image: NDArray[np.float32]) -> float:
    """Find the largest count if far more pixels share it than any below; infinite if not.

    Counts of beads thin out towards the brightest, so only a camera that ends there piles
    pixels up.

    Parameters
    ----------
    image
        Counts of the pixels that hold data, of any shape.

    Returns
    -------
        Counts; pixels at or above it are saturated.
    """
    if not image.size:
        return np.inf
    highest = float(image.max())
    span = highest - float(np.median(image))
    if span == 0 or (span < _FEWEST_COUNTS and np.array_equal(image, image.round())):
        return np.inf
    pixels = np.unique(image[image > highest - _TOP * span], return_counts=True)[1]
    others = pixels[:-1].mean() if len(pixels) > 1 else 0.0
    return highest if pixels[-1] >= max(_FEWEST, _SPIKE * others) else np.inf
