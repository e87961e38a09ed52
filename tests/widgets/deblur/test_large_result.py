"""Results that are too large for memory go to a file, plane by plane, and are read from there."""

from __future__ import annotations

import dask.array
import numpy as np
import pytest
import zarr

from helpers.bench import Bench
from helpers.layers import OPTICS, known_layer, spots
from napari_deepblur.engine.planes_on_disk import PlanesOnDisk
from napari_deepblur.io import read_image
from napari_deepblur.io.metadata import ImageMetadata
from napari_deepblur.widgets.deblur.dock import DeblurDock

TIMEOUT = 120_000
SHAPE = (6, 96, 128)


@pytest.fixture
def little_memory(monkeypatch):
    """As much as the work takes, and less than the results."""
    from napari_deepblur.engine.cost import deblurring_cost

    free = int(deblurring_cost(SHAPE, "ZYX").n_bytes) + 1
    monkeypatch.setattr("napari_deepblur.widgets.deblur.work.free_bytes", lambda: free)


@pytest.fixture
def dock(viewer, little_memory):
    dock = DeblurDock(viewer)
    viewer.window.add_dock_widget(dock, name="Deep-Blur")
    dock.controller.settings.device = "cpu"
    dock.controller.settings.update({"psf_source": "ideal", "per": "plane"})
    return dock


def add_lazy(viewer, n_planes: int = SHAPE[0]):
    data = dask.array.from_array(spots(n_planes, *SHAPE[1:]), chunks=(1, *SHAPE[1:]))
    return viewer.add_image(
        data,
        name="cells",
        scale=(0.5, 0.09, 0.09),
        units=("um",) * 3,
        contrast_limits=(0, 3000),
        metadata={"deepblur": {"optics": OPTICS}},
    )


# The file


def test_planes_on_disk_are_seen_as_they_come_and_become_an_image(tmp_path) -> None:
    path = tmp_path / "sharp.ome.zarr"
    image = PlanesOnDisk(path, (3, 70, 80), "ZYX")
    image[1,] = np.full((70, 80), 5, np.float32)
    assert (image.finished, image.n_planes, image.size) == ({1}, 3, 3 * 70 * 80)
    assert image[1, 20, 30] == 5
    assert not image[0].any()
    assert image.close() == [1]
    image[2,] = np.ones((70, 80), np.float32)
    assert image.finished == {1}
    image.put_in_place(ImageMetadata(pixel_sides_um=(0.1, 0.1)), {"kind": "deblurred"})
    assert image[1, 20, 30] == 5
    with pytest.warns(UserWarning, match="declares 3 planes and 1 can be read"):
        written = read_image(path)
    assert written.metadata.pixel_size_um == 0.1
    np.testing.assert_array_equal(np.asarray(written.data[1]), 5)
    assert [file.name for file in tmp_path.iterdir()] == ["sharp.ome.zarr"]


def test_nothing_is_left_of_nothing(tmp_path) -> None:
    image = PlanesOnDisk(tmp_path / "sharp.ome.zarr", (3, 70, 80), "ZYX")
    image.put_in_place(ImageMetadata(), {})
    assert not list(tmp_path.iterdir())


def test_what_is_there_is_not_overwritten(tmp_path) -> None:
    (tmp_path / "sharp.ome.zarr").mkdir()
    with pytest.raises(FileExistsError, match="choose another name"):
        PlanesOnDisk(tmp_path / "sharp.ome.zarr", (3, 70, 80), "ZYX")


# The dock


@pytest.mark.usefixtures("little_memory")
def test_without_a_file_nothing_begins() -> None:
    bench = Bench(known_layer(*SHAPE))
    bench.controller.settings.update({"psf_source": "ideal", "per": "plane"})
    bench.view.ask_for_file.return_value = None
    bench.controller.sharp.deblur()
    bench.view.ask_for_file.assert_called_once_with("cells deblurred.ome.zarr")
    assert not bench.controller.busy
    assert "Deblur asks for a file" in bench.view.show_cost.call_args.args[1]


def test_a_lazy_layer_becomes_a_lazy_layer(viewer, dock, qtbot, tmp_path, monkeypatch) -> None:
    path = tmp_path / "sharp.ome.zarr"
    monkeypatch.setattr(dock, "ask_for_file", lambda name: path)
    add_lazy(viewer)
    dock.deblur.residual.click()
    dock.run_bar.deblur.click()
    qtbot.waitUntil(lambda: not dock.controller.busy, timeout=TIMEOUT)
    assert "It is in sharp.ome.zarr" in dock.message.text()
    layer = viewer.layers["deblurred, ideal PSF (cells)"]
    assert isinstance(layer.data, PlanesOnDisk)
    written = read_image(path)
    assert written.metadata.pixel_size_um == 0.09
    assert written.metadata.z_step_um == 0.5
    for z in range(SHAPE[0]):
        np.testing.assert_array_equal(layer.data[z], np.asarray(written.data[z]))
        assert layer.data[z].any()
    assert (tmp_path / "sharp residual.ome.zarr").is_dir()
    assert isinstance(viewer.layers["residual, ideal PSF (cells)"].data, PlanesOnDisk)
    # It is compared, and the next one does not overwrite it.
    dock.deblur.compare.split.click()
    assert "compared (cells)" in [one.name for one in viewer.layers]
    dock.run_bar.deblur.click()
    qtbot.waitUntil(lambda: not dock.controller.busy, timeout=TIMEOUT)
    assert "exists: choose another name" in dock.message.text()


def test_cancel_leaves_a_file_of_the_finished_planes(
    viewer, dock, qtbot, tmp_path, monkeypatch
) -> None:
    path = tmp_path / "sharp.ome.zarr"
    monkeypatch.setattr(dock, "ask_for_file", lambda name: path)
    add_lazy(viewer, 60)
    dock.run_bar.deblur.click()
    qtbot.waitUntil(lambda: ", 2 of 60" in viewer.layers[-1].name, timeout=TIMEOUT)
    dock.run_bar.cancel.click()
    assert "planes are finished and kept in sharp.ome.zarr" in dock.message.text()
    qtbot.waitUntil(path.is_dir, timeout=TIMEOUT)
    qtbot.waitUntil(lambda: len(list(tmp_path.iterdir())) == 1, timeout=TIMEOUT)
    layer = viewer.layers[-1]
    done = layer.metadata["deepblur"]["planes_done"]
    assert done[:2] == [0, 1]
    # Not by `read_image`, whose warning the thread, if it still runs, would take for its own.
    written = zarr.open_array(path / "0", mode="r")
    # Where it lies now.
    qtbot.waitUntil(lambda: bool(layer.data[0].any()), timeout=TIMEOUT)
    for z in done:
        np.testing.assert_array_equal(layer.data[z], written[z])
