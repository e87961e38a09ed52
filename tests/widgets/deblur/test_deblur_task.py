"""What is told of a deblurred image while it comes."""

from __future__ import annotations

import math

import numpy as np

from napari_deepblur.widgets.deblur.deblur_task import intensities_of


def test_few_pixels_are_brighter_than_bright() -> None:
    plane = np.arange(100_000, dtype=np.float32).reshape(200, 500)
    extent, bright = intensities_of(plane)
    assert extent == (0, 99_999)
    assert np.mean(plane > bright) < 1 / 4000


def test_pixels_without_data_tell_nothing() -> None:
    plane = np.array([[1, np.nan], [3, np.inf]], np.float32)
    extent, bright = intensities_of(plane)
    assert extent == (1, 3)
    assert 1 < bright <= 3
    assert intensities_of(np.full((2, 2), np.nan, np.float32)) == (
        (math.inf, -math.inf),
        -math.inf,
    )
