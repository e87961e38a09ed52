"""Levels of OME-Zarr, and the files that its chunks lie in."""

import numpy as np
import pytest
import zarr

from napari_deepblur.io import ImageMetadata, Position, read_image, write_image, zarr_pyramid

PLACE = ImageMetadata(pixel_sides_um=(0.1, 0.2), position=Position(z=0.0, y=5.0, x=7.0))


def ramp(height, width):
    return np.add.outer(np.arange(height) * 3.0, np.arange(width)).astype(np.float32)


def test_each_level_shows_the_same_place(tmp_path):
    write_image(tmp_path / "a.zarr", ramp(520, 700), "YX", metadata=PLACE)
    group = zarr.open_group(tmp_path / "a.zarr", mode="r")
    datasets = group.attrs["ome"]["multiscales"][0]["datasets"]
    assert [group[one["path"]].shape for one in datasets] == [(520, 700), (260, 350), (130, 175)]
    for one in datasets:
        scale, shift = (np.ones(2), np.zeros(2))
        for step in one["coordinateTransformations"]:
            scale = np.array(step.get("scale", scale))
            shift = np.array(step.get("translation", shift))
        # Values of the ramp tell the place that a pixel's middle has.
        y, x = (shift + scale * (40, 30) - (5.0, 7.0)) / (0.1, 0.2)
        assert group[one["path"]][40, 30] == pytest.approx(3 * y + x)


def test_odd_sides_and_whole_numbers(tmp_path):
    data = (10 * ramp(301, 299)).astype(np.uint16)
    write_image(tmp_path / "a.zarr", data, "YX")
    coarse = zarr.open_group(tmp_path / "a.zarr", mode="r")["1"]
    assert coarse.shape == (150, 149)
    assert coarse.dtype == np.uint16
    assert coarse[149, 148] == np.rint(data[298:300, 296:298].mean())


def test_small_planes_have_one_level(tmp_path):
    write_image(tmp_path / "a.zarr", ramp(256, 256), "YX")
    assert list(zarr.open_group(tmp_path / "a.zarr", mode="r").array_keys()) == ["0"]


@pytest.mark.parametrize(("most", "shards"), [(18, None), (17, (1, 90, 90))])
def test_many_chunks_share_files(tmp_path, monkeypatch, most, shards):
    monkeypatch.setattr(zarr_pyramid, "_CHUNK", 30)
    monkeypatch.setattr(zarr_pyramid, "_MOST_CHUNKS", most)
    data = np.stack([ramp(88, 61), ramp(88, 61) + 1])
    write_image(tmp_path / "a.zarr", data, "ZYX")
    array = zarr.open_group(tmp_path / "a.zarr", mode="r")["0"]
    assert array.chunks == (1, 30, 30)
    assert array.shards == shards
    image = read_image(tmp_path / "a.zarr")
    np.testing.assert_array_equal(image.data, data)


def test_what_holds_no_number_has_an_extent(tmp_path):
    from napari_deepblur.io import Channel

    named = ImageMetadata(channels=(Channel(name="GFP"),))
    data = np.full((2, 8, 8), np.nan, np.float32)
    write_image(tmp_path / "a.zarr", data, "ZYX", metadata=named)
    data[1, 2, 3] = 5
    write_image(tmp_path / "b.zarr", data, "ZYX", metadata=named)
    windows = [
        zarr.open_group(tmp_path / name, mode="r").attrs["ome"]["omero"]["channels"][0]["window"]
        for name in ("a.zarr", "b.zarr")
    ]
    assert [window["end"] for window in windows] == [0, 5]
