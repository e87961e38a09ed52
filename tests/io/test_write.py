"""Nothing is half-written, nothing is lost."""

import shutil
import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_deepblur.io import (
    ImageMetadata,
    check_image_output,
    check_output,
    check_space,
    read_image,
    tiff_writer,
    write_image,
)
from napari_deepblur.io import write as write_module
from napari_deepblur.io.tiff_writer import write_tiff

DATA = np.arange(64, dtype=np.float32).reshape(8, 8)


@pytest.fixture(params=["image.ome.tif", "image.ome.zarr"])
def path(request, tmp_path):
    return tmp_path / request.param


def test_existing_output_is_kept(path):
    write_image(path, DATA, "YX")
    with pytest.raises(FileExistsError, match="exists"):
        check_output(path)
    with pytest.raises(FileExistsError, match="exists"):
        write_image(path, DATA + 1, "YX")
    np.testing.assert_array_equal(np.asarray(read_image(path).data), DATA)


def test_overwrite_replaces(path):
    write_image(path, DATA, "YX")
    write_image(path, DATA + 1, "YX", overwrite=True)
    np.testing.assert_array_equal(np.asarray(read_image(path).data), DATA + 1)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.fixture
def refuge(tmp_path_factory, monkeypatch):
    """Folder for temporary files."""
    folder = tmp_path_factory.mktemp("refuge")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def fails_in(folder, writer, problem):
    """Writer that fails half-way for outputs in one folder."""

    def write(aside, *content):
        if aside.parent == folder:
            aside.write_bytes(b"half")
            raise problem
        writer(aside, *content)

    return write


def test_failed_write_costs_neither_the_old_image_nor_the_new(path, refuge, monkeypatch):
    write_image(path, DATA, "YX")
    writer = write_module._writer_of(path)
    failing = fails_in(path.parent, writer, OSError(28, "No space left on device"))
    monkeypatch.setattr(write_module, "_writer_of", lambda _path: failing)
    with pytest.raises(OSError, match=r"No space left.*the image is in .*image"):
        write_image(path, DATA + 1, "YX", overwrite=True)
    np.testing.assert_array_equal(np.asarray(read_image(path).data), DATA)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    (kept,) = refuge.glob(f"*/{path.name}")
    np.testing.assert_array_equal(np.asarray(read_image(kept).data), DATA + 1)


def test_an_image_that_the_format_does_not_take_is_kept_as_an_array(path, refuge, monkeypatch):
    def fail(*_):
        raise struct.error("'I' format requires 0 <= number <= 4294967295")

    monkeypatch.setattr(write_module, "_writer_of", lambda _path: fail)
    with pytest.raises(OSError, match=r"the image is in .*\.npy"):
        write_image(path, DATA, "YX")
    assert not path.exists()
    (kept,) = refuge.glob("*/*.npy")
    np.testing.assert_array_equal(np.load(kept), DATA)


def test_a_folder_that_is_gone_does_not_cost_the_image(tmp_path, refuge):
    with pytest.raises(OSError, match="the image is in"):
        write_image(tmp_path / "unmounted" / "a.tif", DATA, "YX")
    (kept,) = refuge.glob("*/a.tif")
    np.testing.assert_array_equal(np.asarray(read_image(kept).data), DATA)


class Claimed:
    """Array that claims to be larger than it is: only its declaration counts."""

    def __init__(self, shape):
        self.shape, self.ndim, self.dtype = shape, len(shape), np.dtype(np.float32)

    def __getitem__(self, index):
        return np.zeros(self.shape[-2:], self.dtype)


@pytest.mark.parametrize(("n_planes", "is_big"), [(1, False), (260, True)])
def test_what_needs_bigtiff_gets_it(tmp_path, monkeypatch, n_planes, is_big):
    asked = {}
    monkeypatch.setattr(tifffile, "imwrite", lambda *_, **options: asked.update(options))
    shape = (n_planes, 2048, 2048)  # 260 planes are 4.4 GB
    write_tiff(tmp_path / "a.tif", Claimed(shape), "ZYX", ImageMetadata(), {})
    assert asked["bigtiff"] is is_big


def test_bigtiff_is_read_back(tmp_path, monkeypatch):
    monkeypatch.setattr(tiff_writer, "_LARGEST_PLAIN", 0)
    write_image(tmp_path / "a.ome.tif", DATA, "YX")
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as tiff:
        assert tiff.is_bigtiff
    np.testing.assert_array_equal(np.asarray(read_image(tmp_path / "a.ome.tif").data), DATA)


def test_planes_are_written_one_by_one(path):
    class Planes(Claimed):
        def __array__(self, *_):
            pytest.fail("the whole image is read")

    if path.suffix == ".tif":
        write_image(path, Planes((3, 8, 9)), "ZYX")
        assert read_image(path).shape == (3, 8, 9)


def test_input_is_never_replaced(path):
    write_image(path, DATA, "YX")
    with pytest.raises(ValueError, match="is the input"):
        check_output(path, overwrite=True, source=path.parent / "." / path.name)


def test_a_folder_that_holds_the_input_is_never_replaced(tmp_path):
    path = tmp_path / "plate.zarr"
    write_image(path, DATA, "YX")
    with pytest.raises(ValueError, match="is the input"):
        check_output(path, overwrite=True, source=path / "0")


def test_the_input_under_another_name_is_never_replaced(tmp_path):
    path, link = tmp_path / "a.tif", tmp_path / "b.tif"
    write_image(path, DATA, "YX")
    link.hardlink_to(path)
    with pytest.raises(ValueError, match="is the input"):
        check_output(link, overwrite=True, source=path)


def test_a_name_that_no_disk_takes_is_seen_before(tmp_path):
    with pytest.raises(OSError, match="cannot be written"):
        check_image_output(tmp_path / f"{'x' * 300}.ome.tif")


@pytest.mark.parametrize(("n_bytes", "says"), [(100, ""), (250, "may be"), (500, "is too full")])
def test_room_on_the_disk(tmp_path, monkeypatch, n_bytes, says):
    usage = shutil.disk_usage(tmp_path)._replace(free=120)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    if not says:
        check_space(tmp_path / "a.tif", n_bytes)
    elif says == "may be":
        with pytest.warns(UserWarning, match=says):
            check_space(tmp_path / "a.tif", n_bytes)
    else:
        with pytest.raises(OSError, match=says):
            check_space(tmp_path / "a.tif", n_bytes)


def test_folder_of_something_else_is_never_replaced(tmp_path):
    folder = tmp_path / "results.zarr"
    folder.mkdir()
    (folder / "thesis.txt").write_text("precious")
    with pytest.raises(ValueError, match="not be replaced"):
        write_image(folder, DATA, "YX", overwrite=True)
    assert (folder / "thesis.txt").exists()


def test_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder"):
        check_output(tmp_path / "none" / "image.tif")


@pytest.mark.parametrize("name", ["image.png", "image", "image.czi"])
def test_unknown_ending(tmp_path, name):
    with pytest.raises(ValueError, match=r"ome\.tif"):
        check_image_output(tmp_path / name)
    with pytest.raises(ValueError, match=r"ome\.tif"):
        write_image(tmp_path / name, DATA, "YX")


def test_axes_must_fit(path):
    with pytest.raises(ValueError, match="do not fit"):
        write_image(path, DATA, "ZYX")
    assert not path.exists()


def test_a_failed_replacement_leaves_the_old_image(tmp_path, monkeypatch):
    path = tmp_path / "image.ome.zarr"
    write_image(path, DATA, "YX")
    rename = Path.rename

    def fails_for_the_new_one(self, target):
        if self.name.startswith(".partial-"):
            raise OSError("disk trouble")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fails_for_the_new_one)
    with pytest.raises(OSError, match="disk trouble"):
        write_image(path, DATA + 1, "YX", overwrite=True)
    np.testing.assert_array_equal(np.asarray(read_image(path).data), DATA)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
