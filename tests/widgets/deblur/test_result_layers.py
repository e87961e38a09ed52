"""Results lie where their image lies."""

from __future__ import annotations

import json

import numpy as np
import pytest
from napari.layers import Image

from helpers.layers import (
    GEOMETRY,
    OPTICS,
    assert_same_geometry,
    checked,
    deblurred,
    estimated,
    known_layer,
)
from napari_deepblur.widgets.deblur.layers import (
    deblurred_layer,
    geometry_of,
    psf_layers,
    residual_layer,
)
from napari_deepblur.widgets.layers.by_product import is_by_product


@pytest.fixture
def stack() -> Image:
    return known_layer(3, 64, 96, **GEOMETRY, contrast_limits=(50, 900), colormap="green")


def test_deblurred_layer_lies_on_the_image(stack: Image) -> None:
    data, arguments = deblurred_layer(stack, deblurred(estimated(3), 3, 64, 96))
    result = Image(data, **arguments)
    assert_same_geometry(result, stack)
    assert (result.name, result.colormap.name) == ("deblurred (cells)", "green")
    assert tuple(result.contrast_limits) == (50, 900)
    own = result.metadata["deepblur"]
    assert is_by_product(result)
    assert own["optics"] == OPTICS
    assert own["source"] == "cells"
    assert np.shape(own["coefficients"]) == np.shape(own["std"]) == (3, 7)


def test_bright_spots_of_a_deblurred_image_are_not_cut(stack: Image) -> None:
    _, arguments = deblurred_layer(stack, deblurred(estimated(3), 3, 64, 96, bright=4000.0))
    assert tuple(arguments["contrast_limits"]) == (50, 4000)


def test_metadata_are_plain_and_tell_what_speaks_against_the_blur(stack: Image) -> None:
    found = estimated(3, concerns=((), ("saturated: 3 %",), ()), twin_resolved=True)
    sharp = deblurred(found, 3, 64, 96, residual=True)
    layers = (
        deblurred_layer(stack, sharp),
        residual_layer(stack, sharp),
        *psf_layers(stack, found),
    )
    for _, arguments in layers:
        own = json.loads(json.dumps(arguments["metadata"]["deepblur"]))
        assert own["concerns"] == [[], ["saturated: 3 %"], []]
        assert own["in_domain"] == [True, False, True]
        assert own["twin_resolved"] is True
        np.testing.assert_allclose(own["std"], found.blur.std, atol=1e-7)


def test_metadata_tell_how_the_result_fits(stack: Image) -> None:
    check = checked(3, concerns=((), ("not explained: by far",), ()))
    sharp = deblurred(estimated(3), 3, 64, 96, residual=True, check=check)
    for _, arguments in (deblurred_layer(stack, sharp), residual_layer(stack, sharp)):
        own = json.loads(json.dumps(arguments["metadata"]["deepblur"]["check"]))
        assert own["concerns"] == [[], ["not explained: by far"], []]
        for name in ("residual", "border_ringing", "flux_moved", "noise_deviation"):
            np.testing.assert_allclose(own[name], getattr(check, name), atol=1e-6)


def test_residual_layer_lies_on_the_image(stack: Image) -> None:
    sharp = deblurred(estimated(3), 3, 64, 96, residual=True)
    data, arguments = residual_layer(stack, sharp)
    result = Image(data, **arguments)
    assert_same_geometry(result, stack)
    assert data is sharp.residual
    assert result.name == "residual (cells)"
    assert tuple(result.contrast_limits) == (-4, 4)
    assert is_by_product(result)
    # Diverging: the two ends are darker than zero, and of different colours.
    low, zero, high = result.colormap.map([0, 0.5, 1])[:, :3]
    assert min(zero) > 0.9
    assert max(low.mean(), high.mean()) < 0.6
    assert np.abs(low - high).max() > 0.3


def test_no_residual_layer_unless_asked_for(stack: Image) -> None:
    assert residual_layer(stack, deblurred(estimated(3), 3, 64, 96)) is None


@pytest.mark.parametrize("n_rows", [1, 3])
def test_psf_layer_lies_beside_the_image_and_follows_its_planes(stack: Image, n_rows: int) -> None:
    found = estimated(n_rows, per="plane" if n_rows > 1 else "stack")
    ((data, arguments),) = psf_layers(stack, found)
    result = Image(data, **arguments)
    assert is_by_product(result)
    assert not is_by_product(stack)
    assert data.shape == (3, 5, 5)
    np.testing.assert_allclose(
        result.data_to_world((1, 2, 0)), stack.data_to_world((1, 2, 96 + 8)), atol=1e-9
    )
    for name in ("scale", "rotate", "shear", "affine"):
        np.testing.assert_allclose(geometry_of(result)[name], geometry_of(stack)[name])
    assert (result.units, result.axis_labels) == (stack.units, stack.axis_labels)
    assert result.contrast_limits[1] == pytest.approx(data.max())


def test_one_plane_has_one_psf(layer: Image) -> None:
    ((data, _),) = psf_layers(layer, estimated())
    assert data.shape == (5, 5)


@pytest.mark.parametrize("side", [96, 380])
def test_psf_field_lies_on_the_image(varying, side: int) -> None:
    source = known_layer(3, side, side + 7, **GEOMETRY, shear=(0, 0, 0.2))
    found = varying(3, shape=(side, side + 7))
    data, arguments = psf_layers(source, found)[1]
    result = Image(data, **arguments)
    assert result.name == "PSF field (cells)"
    assert is_by_product(result)
    assert (result.units, result.axis_labels) == (source.units, source.axis_labels)
    assert (result.blending, result.gamma) == ("additive", 0.5)
    grid = found.field.grid
    assert grid.zoom == (1 if side == 96 else 2)
    for here in [(0, 0), (20, 31)]:
        there = np.add(grid.origin_yx, grid.zoom * np.array(here))
        np.testing.assert_allclose(
            result.data_to_world((1, *here)), source.data_to_world((1, *there)), atol=1e-9
        )
    if grid.zoom == 1:
        assert_same_geometry(result, source)


def test_psf_field_follows_the_planes_or_serves_all_of_them(stack: Image, varying) -> None:
    own, _ = psf_layers(stack, varying(3, shape=(64, 96)))[1]
    assert own.shape == (3, 64, 96)
    assert np.abs(own[0] - own[2]).max() > 0.001
    shared, _ = psf_layers(stack, varying(3, shape=(64, 96), per="stack"))[1]
    assert shared.shape == (3, 64, 96)
    assert shared.strides[0] == 0


def test_eigen_psfs_are_tiles_beside_the_image(varying) -> None:
    source = known_layer(3, 380, 390, **GEOMETRY)
    found = varying(3, shape=(380, 390))
    data, arguments = psf_layers(source, found)[0]
    result = Image(data, **arguments)
    assert result.name == "eigen-PSFs (cells)"
    assert is_by_product(result)
    # Three tiles of 31 below one another, each pixel as large as two of the image.
    assert data.shape == (3, 3 * 31 + 2 * 2, 31)
    for k, tile in enumerate(found.field.eigen_psfs):
        np.testing.assert_array_equal(data[1, 33 * k : 33 * k + 31], tile)
    np.testing.assert_allclose(
        result.data_to_world((1, -0.5, -0.5)), source.data_to_world((1, -0.5, 397.5)), atol=1e-9
    )


def test_eigen_psfs_that_do_not_fit_below_one_another_stand_in_columns(varying) -> None:
    data, _ = psf_layers(known_layer(64, 96), varying(shape=(64, 96)))[0]
    assert data.shape == (31 + 2 + 31, 31 + 2 + 31)


def test_eigen_psfs_show_their_sign(varying) -> None:
    _, arguments = psf_layers(known_layer(64, 96), varying(shape=(64, 96)))[0]
    low, high = arguments["contrast_limits"]
    assert low == -high
    colours = arguments["colormap"].map([0, 0.5, 1])[:, :3]
    np.testing.assert_allclose(colours[1], 0)
    assert np.abs(colours[0] - colours[2]).max() > 0.5


def test_metadata_of_psf_fields_are_plain(stack: Image, varying) -> None:
    for _, arguments in psf_layers(stack, varying(3, shape=(64, 96))):
        own = json.loads(json.dumps(arguments["metadata"]["deepblur"]))
        assert own["zoom"] == 1
        assert np.shape(own["coefficients"]) == (3, 6)
