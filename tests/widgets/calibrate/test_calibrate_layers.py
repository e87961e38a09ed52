"""A calibration's layers lie on their image or beside it."""

from __future__ import annotations

import json

import numpy as np
from napari.layers import Image

from helpers.calibrations import bead_table, calibrated
from helpers.layers import GEOMETRY, known_layer
from napari_deepblur.widgets.calibrate.layers import field_layer, part_layers
from napari_deepblur.widgets.layers.by_product import is_by_product


def layers_of(layer: Image, n: int = 1, times: slice = slice(0, 1)) -> list[Image]:
    made = calibrated([bead_table()] * n)
    parts = [*part_layers(layer, made, times), field_layer(layer, made, times)]
    return [Image(data, **arguments) for data, arguments in parts]


def test_layers_have_names_and_plain_metadata() -> None:
    layers = layers_of(known_layer(96, 128))
    assert [layer.name for layer in layers] == [
        "eigen-PSFs (cells)",
        "weight maps (cells)",
        "PSF field (cells)",
    ]
    for layer in layers:
        assert is_by_product(layer)
        assert json.loads(json.dumps(layer.metadata["deepblur"]))["source"] == "cells"


def test_the_field_lies_on_the_image_and_the_tiles_beside_it() -> None:
    image = known_layer(3, 96, 128, **GEOMETRY)
    eigen_psfs, maps, field = layers_of(image, 3, slice(0, 3))
    for layer in (eigen_psfs, maps, field):
        assert layer.units == image.units
        assert layer.axis_labels == image.axis_labels
        assert len(layer.data) == 3
    corner = field.data_to_world((0, 0, 0))
    assert (np.abs(image.world_to_data(corner)[1:]) < 3).all()
    for layer, left in ((eigen_psfs, 128), (maps, 128 + eigen_psfs.data.shape[-1])):
        y, x = image.world_to_data(layer.data_to_world((0, 0, 0)))[1:]
        assert abs(y) < 3
        assert left < x < left + 20


def test_colours_are_centred_at_0() -> None:
    eigen_psfs, maps, field = layers_of(known_layer(96, 128))
    for layer in (eigen_psfs, maps):
        assert layer.contrast_limits[0] == -layer.contrast_limits[1]
        np.testing.assert_allclose(layer.colormap.map(np.array([0.5]))[0, :3], 0, atol=0.01)
    assert maps.data.max() == 1
    assert (field.blending, field.gamma) == ("additive", 0.5)


def test_each_time_has_its_own_mosaic_and_maps() -> None:
    image = known_layer(2, 96, 128, axis_labels=("t", "y", "x"))
    eigen_psfs, maps, field = layers_of(image, 4, slice(2, 4))
    expected = calibrated([bead_table()] * 4).mosaics[2:]
    np.testing.assert_array_equal(field.data, expected)
    assert maps.metadata["deepblur"]["largest"] == [[3.0] * 3, [4.0] * 3]
    np.testing.assert_array_equal(eigen_psfs.data[0], eigen_psfs.data[1])


def test_one_picture_serves_all_planes_of_a_stack() -> None:
    *_, field = layers_of(known_layer(5, 96, 128))
    assert len(field.data) == 5
    np.testing.assert_array_equal(field.data[0], field.data[4])
