"""An image that grows: whole in the end, never before, and nothing is done twice."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
import tifffile

from napari_deepblur.io import ImageMetadata, read_image
from napari_deepblur.io import partial_image as module
from napari_deepblur.io.partial_image import PartialImage, complete

DATA = np.random.default_rng(0).random((2, 3, 20, 30)).astype(np.float32)
SIZES = ImageMetadata(pixel_sides_um=(0.1, 0.1), z_step_um=0.5, time_step_s=2.0, name="cell")


@pytest.fixture(params=["a.ome.zarr", "a.ome.tif"])
def path(request, tmp_path):
    return tmp_path / request.param


def begin(path, work="deblurring", shape=DATA.shape):
    return PartialImage(path, shape, "TZYX", work)


def fill(image):
    for index in np.ndindex(2, 3):
        image.planes[index] = DATA[index]


def test_it_is_put_in_place_when_it_is_complete(path):
    image = begin(path)
    for index in np.ndindex(2, 3):
        image.planes[index] = DATA[index]
        assert not path.exists()
    np.testing.assert_array_equal(image.planes[1, 2], DATA[1, 2])
    complete([image], SIZES, {"software": "test"})
    back = read_image(path)
    np.testing.assert_array_equal(back.data, DATA)
    assert (back.axes, back.metadata) == ("TZYX", SIZES)
    assert list(path.parent.iterdir()) == [path]


def test_it_goes_on_where_it_was(path):
    image = begin(path)
    image.planes[0, 1], image.planes[1, 0] = DATA[0, 1], DATA[1, 0]
    image.release()
    again = begin(path)
    assert not again.is_new
    np.testing.assert_array_equal(again.planes[0, 1], DATA[0, 1])
    fill(again)
    complete([again], SIZES, {})
    np.testing.assert_array_equal(read_image(path).data, DATA)


def test_two_programs_do_not_write_one_output(path):
    image = begin(path)
    with pytest.raises(OSError, match=f"another program is writing .*{path.name} at this moment"):
        begin(path)
    image.release()
    begin(path).discard()
    assert not list(path.parent.iterdir())


def test_the_lock_of_a_killed_program_holds_nobody_up(path):
    script = (
        "import os, sys; from pathlib import Path;"
        "from napari_deepblur.io.partial_image import PartialImage;"
        "PartialImage(Path(sys.argv[1]), (2, 3, 20, 30), 'TZYX', 'deblurring'); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", script, path], check=False).returncode == 9
    assert not begin(path).is_new


def test_what_was_half_created_is_made_anew(path):
    image = begin(path)
    image.release()
    shutil.rmtree(image.arrays / "0")
    (image.arrays / "0" / "c" / "0").mkdir(parents=True)  # of a lost worker that still wrote
    assert begin(path).is_new


def test_what_a_killed_writer_left_is_no_part_of_it(tmp_path):
    image = begin(tmp_path / "a.ome.zarr")
    fill(image)
    (image.arrays / "0" / "c" / "0" / "0" / "0" / "0.1f.partial").write_bytes(b"half")
    complete([image], SIZES, {})
    assert not list(tmp_path.rglob("*.partial"))


@pytest.mark.parametrize("change", [{"work": "other"}, {"shape": (2, 3, 20, 31)}])
def test_what_other_work_left_is_removed(path, change):
    image = begin(path)
    image.planes[0, 0] = DATA[0, 0]
    image.release()
    again = begin(path, **change)
    assert again.is_new
    assert [one.name for one in again.folder.iterdir()] == [again.arrays.name]


def test_what_lies_beside_is_no_image(tmp_path):
    image = begin(tmp_path / "a.ome.zarr")
    fill(image)
    with pytest.raises(ValueError, match="not OME-Zarr"):
        read_image(image.folder)
    with pytest.raises(ValueError, match="not OME-Zarr"):
        read_image(image.arrays)


def test_an_interruption_after_the_last_step_is_no_result(tmp_path, monkeypatch):
    image = begin(tmp_path / "a.ome.zarr")
    fill(image)
    monkeypatch.setattr(PartialImage, "discard", PartialImage.release)
    complete([image], SIZES, {})
    monkeypatch.undo()
    assert begin(tmp_path / "a.ome.zarr").is_new


def test_a_failure_to_write_keeps_the_planes(path, monkeypatch):
    image = begin(path)
    fill(image)

    def fails(*_):
        raise KeyError("no such thing")

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_tiff", fails)
        patch.setattr(module, "put_in_place", fails)
        with pytest.raises(OSError, match="could not be written"):
            complete([image], SIZES, {})
    assert not path.exists()
    image.release()
    complete([begin(path)], SIZES, {})
    np.testing.assert_array_equal(read_image(path).data, DATA)


def test_large_planes_of_tiff_are_in_tiles(tmp_path):
    image = PartialImage(tmp_path / "a.ome.tif", (2, 1030, 1100), "ZYX", "")
    data = np.random.default_rng(0).integers(0, 9, (2, 1030, 1100)).astype(np.float32)
    image.planes[(0,)], image.planes[(1,)] = data
    complete([image], ImageMetadata(), {})
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as tiff:
        assert tiff.pages.first.tile == (512, 512)
        assert tiff.pages.first.compression.name == "ADOBE_DEFLATE"
    np.testing.assert_array_equal(read_image(tmp_path / "a.ome.tif").data, data)
