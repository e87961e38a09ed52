"""Nothing is half-written, nothing is lost."""

from pathlib import Path

import numpy as np
import pytest

from napari_deepblur.io import check_image_output, check_output, read_image, write_image
from napari_deepblur.io import write as write_module

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


def test_failed_write_leaves_the_old_file(path, monkeypatch):
    write_image(path, DATA, "YX")

    def fail(partial, *_args, **_kwargs):
        partial.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(write_module, "_writer_of", lambda _path: fail)
    with pytest.raises(OSError, match="disk full"):
        write_image(path, DATA + 1, "YX", overwrite=True)
    monkeypatch.undo()
    np.testing.assert_array_equal(np.asarray(read_image(path).data), DATA)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_input_is_never_replaced(path):
    write_image(path, DATA, "YX")
    with pytest.raises(ValueError, match="is the input"):
        check_output(path, overwrite=True, source=path.parent / "." / path.name)


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
