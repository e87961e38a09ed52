"""What a layer's file states, and what its axes are taken for."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from napari.layers import Image

from napari_deepblur.widgets.layers.channels import split_channels
from napari_deepblur.widgets.layers.facts import facts_of, name_axes


@pytest.fixture
def opened(tmp_path):
    """Writes a TIFF and opens it as napari's own reader does: pixels alone, and the path."""

    def make(pixels: np.ndarray, **written) -> Image:
        path = tmp_path / "image.tif"
        tifffile.imwrite(path, pixels, **written)
        layer = Image(pixels)
        layer._source = layer.source.model_copy(update={"path": str(path)})
        return layer

    return make


def test_the_pixel_size_of_an_ome_tiff_is_read(opened) -> None:
    stated = {"axes": "YX", "PhysicalSizeX": 0.09, "PhysicalSizeY": 0.09}
    layer = opened(np.zeros((64, 70), np.uint16), ome=True, metadata=stated)
    known = facts_of(layer).known["pixel_size_um"]
    assert (known.value, known.source) == (pytest.approx(0.09), "file")


def test_a_file_of_other_planes_says_nothing(opened) -> None:
    stated = {"axes": "YX", "PhysicalSizeX": 0.09, "PhysicalSizeY": 0.09}
    layer = opened(np.zeros((64, 70), np.uint16), ome=True, metadata=stated)
    layer.data = np.zeros((64, 64), np.uint16)
    assert "pixel_size_um" not in facts_of(layer).known


def test_channels_of_a_hyperstack_are_seen_and_can_be_split(opened) -> None:
    pixels = np.arange(3 * 2 * 64 * 64, dtype=np.uint16).reshape(3, 2, 64, 64)
    layer = opened(pixels, imagej=True, metadata={"axes": "ZCYX", "spacing": 0.3, "unit": "um"})
    facts = facts_of(layer)
    assert (facts.axes, facts.n_channels) == ("ZCYX", 2)
    assert "split" in facts.problem
    viewer = ViewerModel()
    viewer.add_layer(layer)
    channels = split_channels(viewer, layer)
    assert list(viewer.layers) == channels
    assert [channel.axis_labels for channel in channels] == [("z", "y", "x")] * 2
    np.testing.assert_array_equal(channels[1].data, pixels[:, 1])


def test_four_axes_without_names_are_asked_for() -> None:
    layer = Image(np.zeros((3, 2, 64, 64), np.uint16))
    assert facts_of(layer).asks_axes
    name_axes(layer, "TZYX")
    assert (facts_of(layer).asks_axes, facts_of(layer).axes) == (False, "TZYX")
    name_axes(layer, "ZCYX")
    assert facts_of(layer).n_channels == 2
