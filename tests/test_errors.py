"""Errors as the user reads them: one clear line."""

import pytest
from pydantic import ValidationError

from napari_deepblur import Optics
from napari_deepblur.errors import ImageError, ModelError, SamplingError, describe


def test_describe_makes_one_line():
    assert describe(ValueError("first\n   second")) == "first second"


def test_describe_names_an_error_without_text():
    assert describe(MemoryError()) == "MemoryError"


def test_describe_a_validation_error_without_its_internals():
    with pytest.raises(ValidationError) as caught:
        Optics(numerical_aperture=1.4, wavelength_um=520, pixel_size_um=0)
    line = describe(caught.value)
    assert "\n" not in line
    assert "pydantic" not in line
    assert "0.52" in line
    assert "pixel_size_um" in line


def test_describe_names_a_missing_field():
    with pytest.raises(ValidationError) as caught:
        Optics(numerical_aperture=1.4, wavelength_um=0.52)
    assert "pixel_size_um" in describe(caught.value)


def test_users_mistakes_are_value_errors():
    assert issubclass(ImageError, ValueError)
    assert issubclass(SamplingError, ImageError)
    assert issubclass(ModelError, ValueError)
