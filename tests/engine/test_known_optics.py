"""Optics merged from several sources: the first that states a value decides."""

import pytest

from napari_deepblur.engine.known_optics import (
    Known,
    merge_optics,
    missing_optics,
    optics_of,
    require_square_pixels,
    stated,
)
from napari_deepblur.engine.request import TypedOptics
from napari_deepblur.errors import ImageError
from napari_deepblur.io import ImageMetadata
from napari_deepblur.optics.settings import Optics


def test_what_was_typed_goes_before_the_file_and_the_file_before_defaults():
    typed = stated("typed", TypedOptics(numerical_aperture=1.2, pixel_size_um=0.1))
    metadata = ImageMetadata(pixel_sides_um=(0.2, 0.2), numerical_aperture=1.4)
    known = merge_optics(typed, stated("file", metadata))
    assert known["numerical_aperture"] == Known(1.2, "typed")
    assert known["pixel_size_um"] == Known(0.1, "typed")
    assert known["refractive_index"] == Known(1.518, "default")
    assert missing_optics(known) == ["wavelength_um"]


def test_the_default_is_that_of_optics():
    known = merge_optics(
        {name: Known(value, "x") for name, value in {"numerical_aperture": 1.0}.items()},
        {"wavelength_um": Known(0.5, "file"), "pixel_size_um": Known(0.1, "file")},
    )
    expected = Optics(numerical_aperture=1.0, wavelength_um=0.5, pixel_size_um=0.1)
    assert optics_of(known) == expected


@pytest.mark.parametrize("sides", [(0.1, 0.1), (0.1, 0.1005)])
def test_square_pixels_pass(sides):
    require_square_pixels(sides)


def test_other_pixels_are_refused_with_both_sides():
    with pytest.raises(ImageError, match=r"0\.12 µm in Y, 0\.09 µm in X"):
        require_square_pixels((0.12, 0.09))
