"""A part of a plane is deblurred as it is within the whole plane."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.layers import OPTICS, spots
from napari_deepblur import Optics, deblur
from napari_deepblur.engine.events import finish
from napari_deepblur.engine.known.blurs import ideal_blur
from napari_deepblur.engine.part import Part, deblur_part_job, surroundings
from napari_deepblur.errors import ImageError


@pytest.fixture(scope="module")
def blur():
    return ideal_blur(Optics(**OPTICS))


def part_of(image, blur, part: Part) -> np.ndarray:
    return finish(deblur_part_job(image, blur, part, device="cpu"))


@pytest.mark.parametrize("first", [0, 81, 160])
def test_a_part_is_that_of_the_whole_plane(blur, first: int) -> None:
    image = spots(2, 256, 256)
    whole = deblur(image, blur, device="cpu")
    part = Part(1, slice(first, first + 96), slice(50, 161))
    sharp = part_of(image, blur, part)
    assert sharp.shape == part.shape
    expected = whole[1][part.window]
    # What gives a plane its light back, above the dark level, is known of whole planes alone.
    factor, offset = np.polyfit(sharp.ravel(), expected.ravel(), 1)
    assert factor == pytest.approx(1, abs=0.06)
    assert np.abs(factor * sharp + offset - expected).max() < 1e-3 * np.ptp(whole[1])


def test_blank_parts_and_those_without_data_stay_as_they_are(blur) -> None:
    image = spots(2, 256, 256).astype(np.float32)
    image[0] = 7
    image[1, 100:200, 100:200] = np.nan
    blank = part_of(image, blur, Part(0, slice(0, 64), slice(0, 64)))
    np.testing.assert_array_equal(blank, 7)
    sharp = part_of(image, blur, Part(1, slice(60, 160), slice(60, 160)))
    np.testing.assert_array_equal(np.isnan(sharp), np.isnan(image[1, 60:160, 60:160]))


@pytest.mark.parametrize(
    "part",
    [
        Part(2, slice(0, 64), slice(0, 64)),
        Part(0, slice(200, 300), slice(0, 64)),
        Part(0, slice(64, 64), slice(0, 64)),
    ],
)
def test_parts_outside_are_refused(blur, part: Part) -> None:
    with pytest.raises(ImageError, match="no such part"):
        part_of(spots(2, 256, 256), blur, part)


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ((0, 512), (0, 1024)),
        ((3000, 3512), (2744, 3768)),
        ((3600, 4096), (3072, 4096)),
        ((1000, 3000), (960, 3040)),
    ],
)
def test_surroundings_have_the_halo_and_are_large_enough(window, expected) -> None:
    rows, columns = surroundings((slice(*window), slice(0, 100)), (4096, 100), 40, 2)
    assert (rows.start, rows.stop) == expected
    assert columns == slice(0, 100)
