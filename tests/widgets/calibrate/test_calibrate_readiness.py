"""What layers of beads and the user's wishes amount to."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image

from helpers.layers import OPTICS, known_layer, spots
from napari_deepblur import Optics
from napari_deepblur.widgets.calibrate.readiness import BeadSource, Readiness, plan_calibration
from napari_deepblur.widgets.calibrate.wishes import CalibrationWishes


def plan(*layers: Image, current_plane: int = 0, **wishes):
    sources = [BeadSource.of(layer) for layer in layers]
    return plan_calibration(CalibrationWishes(**wishes), sources, current_plane)


def plain_layer(*shape: int, **arguments) -> Image:
    """Layer that knows its pixel size and nothing else."""
    return known_layer(*shape, **{"metadata": {}} | arguments)


def test_a_pixel_size_is_enough() -> None:
    planned = plan(plain_layer(96, 128))
    assert planned.can_run
    assert planned.settings.pixel_size_um == 0.09
    assert planned.settings.optics is None
    assert planned.settings.plane is None
    assert planned.axes == "YX"
    assert "1 acquisition of 96 × 128 pixels" in planned.message


def test_known_optics_are_used() -> None:
    assert plan(known_layer(96, 128)).settings.optics == Optics(**OPTICS)


def test_what_was_typed_goes_before_what_the_layer_says() -> None:
    planned = plan(known_layer(96, 128), pixel_size_um=0.2, numerical_aperture=0.8)
    assert planned.settings.optics.pixel_size_um == planned.settings.pixel_um == 0.2
    assert planned.settings.optics.numerical_aperture == 0.8


def test_without_layers_it_says_what_to_open() -> None:
    planned = plan()
    assert planned.readiness is Readiness.NO_LAYER
    assert "Open Sample" in planned.message


def test_a_pixel_size_is_asked_for_and_never_guessed() -> None:
    layer = Image(spots(96, 96), scale=(0.09, 0.09))
    planned = plan(layer)
    assert planned.readiness is Readiness.MISSING
    assert "pixel size in µm" in planned.message
    assert plan(layer, pixel_size_um=0.09).can_run


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"shape": (96, 96)}, "same field: cells is 96 × 128 pixels, cells is 96 × 96"),
        ({"shape": (3, 96, 128)}, "same axes"),
        ({"shape": (96, 128), "scale": (0.1, 0.1)}, "differ in size (0.09, 0.1 µm)"),
        ({"shape": (96, 128), "scale": (0.1, 0.2)}, "not square"),
    ],
)
def test_layers_must_show_the_same_field(other, words: str) -> None:
    shape = other.pop("shape")
    planned = plan(plain_layer(96, 128), plain_layer(*shape, **other))
    assert planned.readiness is Readiness.UNUSABLE
    assert words in planned.message


def test_a_typed_pixel_size_settles_a_difference() -> None:
    layers = plain_layer(96, 128), plain_layer(96, 128, scale=(0.1, 0.1))
    assert plan(*layers, pixel_size_um=0.1).can_run


@pytest.mark.parametrize(
    ("wishes", "words"),
    [
        ({"numerical_aperture": 1.2}, "both numerical aperture and wavelength"),
        ({"numerical_aperture": 1.2, "wavelength_um": 520}, "micrometres"),
        ({"window": 30}, "window must be odd"),
        ({"window": 30.5}, "window"),
        ({"n_eigen_psfs": 99}, "n_eigen_psfs"),
    ],
)
def test_impossible_values_are_told_in_one_line(wishes, words: str) -> None:
    planned = plan(plain_layer(96, 128), **wishes)
    assert planned.readiness is Readiness.INVALID
    assert words in planned.message
    assert "\n" not in planned.message


def test_half_of_the_optics_in_metadata_is_no_error() -> None:
    layer = plain_layer(96, 128, metadata={"deepblur": {"optics": {"numerical_aperture": 1.2}}})
    planned = plan(layer)
    assert planned.can_run
    assert planned.settings.optics is None


def test_time_points_are_acquisitions_and_layers_too() -> None:
    series = plain_layer(3, 96, 128, axis_labels=("t", "y", "x"))
    planned = plan(series, series)
    assert "6 acquisitions" in planned.message
    assert not planned.has_stacks


@pytest.mark.parametrize(("wish", "plane"), [("sharpest", "sharpest"), ("current", 2)])
def test_of_stacks_a_plane_is_chosen(wish: str, plane: object) -> None:
    planned = plan(plain_layer(4, 96, 128), current_plane=2, plane=wish)
    assert planned.has_stacks
    assert planned.settings.plane == plane


def test_colour_images_are_refused() -> None:
    planned = plan(Image(np.zeros((96, 96, 3), np.uint8), rgb=True, name="photo"))
    assert planned.readiness is Readiness.UNUSABLE
    assert planned.message.count("photo") == 1
    assert "RGB" in planned.message


def test_axes_that_nobody_names_are_asked_for() -> None:
    planned = plan(Image(np.zeros((3, 2, 96, 96), np.uint16), name="hyper"))
    assert planned.readiness is Readiness.UNUSABLE
    assert planned.message.startswith("hyper: nobody says what its axes are")
