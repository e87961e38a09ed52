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
from napari_deepblur.widgets.result_layers import (
    deblurred_layer,
    geometry_of,
    is_by_product,
    psf_layer,
    residual_layer,
)


@pytest.fixture
def stack() -> Image:
    return known_layer(3, 64, 96, **GEOMETRY, contrast_limits=(50, 900), colormap="green")


def test_deblurred_layer_lies_on_the_image(stack: Image) -> None:
    data, arguments = deblurred_layer(stack, deblurred(estimated(3), 3, 64, 96))
    result = Image(data, **arguments)
    assert_same_geometry(result, stack)
    assert (result.name, result.colormap.name) == ("cells deblurred", "green")
    assert tuple(result.contrast_limits) == (50, 900)
    own = result.metadata["deepblur"]
    assert own["optics"] == OPTICS
    assert own["source"] == "cells"
    assert np.shape(own["coefficients"]) == np.shape(own["std"]) == (3, 7)


def test_metadata_are_plain_and_tell_what_speaks_against_the_blur(stack: Image) -> None:
    found = estimated(3, concerns=((), ("saturated: 3 %",), ()), twin_resolved=True)
    sharp = deblurred(found, 3, 64, 96, residual=True)
    layers = (deblurred_layer(stack, sharp), residual_layer(stack, sharp), psf_layer(stack, found))
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
    assert result.name == "cells residual"
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
    data, arguments = psf_layer(stack, estimated(n_rows, per="plane" if n_rows > 1 else "stack"))
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
    assert psf_layer(layer, estimated())[0].shape == (5, 5)
