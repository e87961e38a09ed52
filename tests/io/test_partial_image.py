"""An image that grows: whole in the end, never before, and nothing is done twice."""

import numpy as np
import pytest
import tifffile

from napari_deepblur.io import ImageMetadata, read_image
from napari_deepblur.io import partial_image as module
from napari_deepblur.io.partial_image import PartialImage

DATA = np.random.default_rng(0).random((2, 3, 20, 30)).astype(np.float32)
SIZES = ImageMetadata(pixel_sides_um=(0.1, 0.1), z_step_um=0.5, time_step_s=2.0, name="cell")


@pytest.fixture(params=["a.ome.zarr", "a.ome.tif"])
def path(request, tmp_path):
    return tmp_path / request.param


def begin(path, work="deblurring", shape=DATA.shape):
    return PartialImage(path, shape, "TZYX", work)


def test_it_is_put_in_place_when_it_is_complete(path):
    image = begin(path)
    for index in np.ndindex(2, 3):
        image[index] = DATA[index]
        assert not path.exists()
    np.testing.assert_array_equal(image[1, 2], DATA[1, 2])
    image.complete(SIZES, {"software": "test"})
    back = read_image(path)
    np.testing.assert_array_equal(back.data, DATA)
    assert (back.axes, back.metadata) == ("TZYX", SIZES)
    assert list(path.parent.iterdir()) == [path]


def test_it_goes_on_where_it_was(path):
    image = begin(path)
    image[0, 1], image[1, 0] = DATA[0, 1], DATA[1, 0]
    again = begin(path)
    assert again.finished == {1, 3}
    np.testing.assert_array_equal(again[0, 1], DATA[0, 1])
    for index in np.ndindex(2, 3):
        if np.ravel_multi_index(index, (2, 3)) not in again.finished:
            again[index] = DATA[index]
    again.complete(SIZES, {})
    np.testing.assert_array_equal(read_image(path).data, DATA)


def test_a_line_that_was_cut_is_no_plane(path):
    image = begin(path)
    image[0, 1] = DATA[0, 1]
    journal = image.folder / "finished.txt"
    journal.write_text(journal.read_text() + "1")  # of "12"
    image = begin(path)
    assert image.finished == {1}
    image[0, 2] = DATA[0, 2]
    assert begin(path).finished == {1, 2}


@pytest.mark.parametrize("change", [{"work": "other"}, {"shape": (2, 3, 20, 31)}])
def test_what_other_work_left_is_removed(path, change):
    begin(path)[0, 0] = DATA[0, 0]
    assert begin(path, **change).finished == set()


def test_what_lies_beside_is_no_image(tmp_path):
    image = begin(tmp_path / "a.ome.zarr")
    for index in np.ndindex(2, 3):
        image[index] = DATA[index]
    with pytest.raises(ValueError, match="not OME-Zarr"):
        read_image(image.folder)
    with pytest.raises(ValueError, match="not OME-Zarr"):
        read_image(image.folder / "image.zarr")


def test_an_interruption_after_the_last_step_is_no_result(tmp_path, monkeypatch):
    image = begin(tmp_path / "a.ome.zarr")
    for index in np.ndindex(2, 3):
        image[index] = DATA[index]
    monkeypatch.setattr(PartialImage, "discard", lambda _: None)
    image.complete(SIZES, {})
    monkeypatch.undo()
    assert begin(tmp_path / "a.ome.zarr").finished == set()


def test_a_failure_to_write_keeps_the_planes(path, monkeypatch):
    image = begin(path)
    for index in np.ndindex(2, 3):
        image[index] = DATA[index]

    def fails(*_):
        raise KeyError("no such thing")

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_tiff", fails)
        patch.setattr(module, "put_in_place", fails)
        with pytest.raises(OSError, match="could not be written"):
            image.complete(SIZES, {})
    assert not path.exists()
    begin(path).complete(SIZES, {})
    np.testing.assert_array_equal(read_image(path).data, DATA)


def test_large_planes_of_tiff_are_in_tiles(tmp_path):
    image = PartialImage(tmp_path / "a.ome.tif", (2, 1030, 1100), "ZYX", "")
    data = np.random.default_rng(0).integers(0, 9, (2, 1030, 1100)).astype(np.float32)
    image[(0,)], image[(1,)] = data
    image.complete(ImageMetadata(), {})
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as tiff:
        assert tiff.pages.first.tile == (512, 512)
        assert tiff.pages.first.compression.name == "ADOBE_DEFLATE"
    np.testing.assert_array_equal(read_image(tmp_path / "a.ome.tif").data, data)
