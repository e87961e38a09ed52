"""The dock "Calibrate from beads" in a real viewer, from beads to a family's folder."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from napari.layers import Image
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QFileDialog, QMessageBox

from helpers.calibrations import bead_table, calibrated
from napari_deepblur.calibration.files import save_calibration
from napari_deepblur.samples.bead_field import draw_bead_field
from napari_deepblur.widgets.calibrate.dock import CalibrateDock
from napari_deepblur.widgets.made import Made

TIMEOUT = 200_000


@cache
def beads(seed: int = 0) -> np.ndarray:
    """A small bright field of some 30 beads."""
    field = draw_bead_field(
        shape=(256, 256), n_beads=30, peak_snr=80, crowded=0, window=21, seed=seed
    )
    return field.image


@pytest.fixture
def dock(viewer):
    dock = CalibrateDock(viewer)
    viewer.window.add_dock_widget(dock, name="Calibrate from beads")
    return dock


def finish(qtbot, dock: CalibrateDock) -> None:
    qtbot.waitUntil(lambda: not dock.controller.busy, timeout=TIMEOUT)


def bead_layer(data: np.ndarray, **arguments) -> Image:
    n = data.ndim
    arguments = {"name": "slide", "scale": (1, 0.1, 0.1)[-n:], "units": ("um",) * n} | arguments
    return Image(data, **arguments)


def test_the_dock_opens_without_heavy_imports() -> None:
    code = (
        "import sys, napari;"
        "from napari_deepblur.widgets.calibrate.dock import CalibrateDock;"
        "from qtpy.QtWidgets import QApplication;"
        "app = QApplication([]);"
        "dock = CalibrateDock(napari.components.ViewerModel());"
        "heavy = {'torch', 'monai', 'pandas', 'pyqtgraph'} & set(sys.modules);"
        "sys.exit(f'{heavy} were imported' if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr


def test_from_beads_to_a_family(viewer, dock, qtbot, tmp_path: Path, monkeypatch) -> None:
    assert not dock.run_bar.find.isEnabled()
    viewer.add_layer(bead_layer(beads()))
    assert dock.images.verdict.text().startswith("✓ 1 acquisition of 256 × 256 pixels of 0.1 µm")
    dock.run_bar.find.click()
    assert not dock.run_bar.calibrate.isEnabled()
    finish(qtbot, dock)
    found = dock.legend.value()
    assert found["used"] >= 15
    points = viewer.layers["beads (slide)"]
    told = points.get_status(points.data[0], dims_displayed=[0, 1])
    assert "status: " in told["coordinates"]

    used = np.flatnonzero(points.features["status"] == "used")
    points.selected_data = set(used[:2].tolist())
    points.remove_selected()
    assert dock.legend.value()["used"] == found["used"] - 2
    dock.run_bar.calibrate.click()
    finish(qtbot, dock)
    assert dock.message.text()[2:].startswith("Calibrated from"), dock.message.text()
    assert [layer.name for layer in viewer.layers] == [
        "slide",
        "PSF field (slide)",
        "beads (slide)",
    ]
    summary = dock.psf.panel.value()
    assert summary.n_used == found["used"] - 2
    assert 0.15 < summary.fwhm_um[0] <= summary.fwhm_um[1] < 0.6
    mosaic = viewer.layers["PSF field (slide)"]
    assert np.isfinite(mosaic.data).all()
    assert mosaic.data.max() > 0

    opened = []
    monkeypatch.setattr(QDesktopServices, "openUrl", opened.append)
    folder = tmp_path / "family"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_a, **_k: (str(folder), ""))
    assert not dock.psf.report_button.isEnabled()
    dock.psf.save_button.click()
    finish(qtbot, dock)
    assert dock.message.text().startswith("✓ Saved to")
    names = {path.name for path in folder.iterdir()}
    assert {"family.npz", "beads.csv", "calibration.json", "report.html"} <= names
    dock.psf.report_button.click()
    assert opened[0].toLocalFile().endswith("report.html")

    asked = []
    answer = QMessageBox.StandardButton.No
    monkeypatch.setattr(QMessageBox, "question", lambda *a: asked.append(a) or answer)
    (folder / "family.npz").unlink()
    dock.psf.save_button.click()
    assert asked
    assert not dock.controller.busy
    answer = QMessageBox.StandardButton.Yes
    dock.psf.save_button.click()
    finish(qtbot, dock)
    assert (folder / "family.npz").is_file()


def test_a_saved_calibration_is_used_and_inspected_in_one_step(
    module_viewer, dock, qtbot, tmp_path: Path, monkeypatch
) -> None:
    table = bead_table().assign(peak=900.0, background=100.0, residual_db=-20.0)
    result = replace(calibrated([table]).result, pixel_size_um=0.1)
    save_calibration(result, tmp_path / "monday")
    monkeypatch.setattr(
        QFileDialog, "getExistingDirectory", lambda *_a, **_k: str(tmp_path / "monday")
    )
    assert dock.psf.use_button.isHidden()
    dock.psf.load_button.click()
    finish(qtbot, dock)
    assert dock.message.text() == "✓ Loaded the calibration monday."
    assert dock.psf.panel.title.text() == "From monday: 3 of 6 beads"
    assert dock.psf.report_button.isEnabled()
    dock.psf.use_button.click()
    _, deblur = module_viewer.window.add_plugin_dock_widget("napari-deepblur", "Deep-Blur")
    assert deblur.controller.resolved.known.source == "calibration"
    assert deblur.controller.resolved.known.choice.calibration is Made.of(module_viewer).result
    dock.psf.inspect_button.click()
    _, inspector = module_viewer.window.add_plugin_dock_widget("napari-deepblur", "PSF inspector")
    assert inspector.words.text().startswith("First (blue): calibration: time 0")


def test_time_points_drift(viewer, dock, qtbot) -> None:
    series = np.stack([beads(0), beads(1)])
    viewer.add_layer(
        bead_layer(series, axis_labels=("t", "y", "x"), units=("s", "um", "um"), name="series")
    )
    dock.run_bar.calibrate.click()
    finish(qtbot, dock)
    assert dock.message.text()[2:].startswith("Calibrated from"), dock.message.text()
    assert len(viewer.layers["PSF field (series)"].data) == 2
    assert set(np.unique(viewer.layers["beads (series)"].data[:, 0])) == {0, 1}
    assert len(dock.psf.panel.value().drift.coefficients) == 2


def test_the_sharpest_plane_of_a_stack(viewer, dock, qtbot) -> None:
    noise = np.random.default_rng(0).normal(500, 20, beads().shape).astype(np.float32)
    viewer.add_layer(bead_layer(np.stack([noise, noise, beads(), noise])))
    assert not dock.images.plane_box.isHidden()
    viewer.dims.set_point(0, 0)
    dock.run_bar.find.click()
    finish(qtbot, dock)
    assert viewer.dims.current_step[0] == 2
    assert set(viewer.layers["beads (slide)"].data[:, 0]) == {2}


def test_an_image_without_beads(viewer, dock, qtbot) -> None:
    flat = np.random.default_rng(0).normal(500, 20, (128, 128)).astype(np.float32)
    viewer.add_layer(bead_layer(flat))
    dock.run_bar.find.click()
    finish(qtbot, dock)
    assert dock.message.text().startswith("⚠")
    dock.run_bar.calibrate.click()
    finish(qtbot, dock)
    assert dock.message.text().startswith("✗")
    assert "\n" not in dock.message.text()
    assert dock.psf.panel.value() is None


def test_a_missing_pixel_size_is_asked_for(viewer, dock) -> None:
    viewer.add_layer(Image(beads(), name="plain"))
    assert not dock.run_bar.find.isEnabled()
    assert "pixel size" in dock.images.verdict.text()
    edit = dock.images.optics_form.field("pixel_size_um")
    edit.setText("0.1")
    edit.editingFinished.emit()
    assert dock.run_bar.find.isEnabled()
    edit = dock.images.edits["window"]
    edit.setText("20")
    edit.editingFinished.emit()
    assert "odd" in dock.images.verdict.text()
    assert not dock.run_bar.calibrate.isEnabled()


def test_cancelled_or_bereft_of_its_layer_it_adds_nothing(viewer, dock, qtbot) -> None:
    layer = viewer.add_layer(bead_layer(beads()))
    dock.run_bar.calibrate.click()
    dock.run_bar.progress.cancel.click()
    assert dock.message.text() == "Cancelled."
    dock.run_bar.find.click()
    viewer.layers.remove(layer)
    assert not dock.controller.busy
    assert not dock.run_bar.find.isEnabled()
    qtbot.wait(200)
    assert not len(viewer.layers)


def test_closed_while_it_works(viewer, dock, qtbot) -> None:
    viewer.add_layer(bead_layer(beads()))
    dock.run_bar.calibrate.click()
    viewer.window.remove_dock_widget(dock)
    assert not dock.controller.busy
    qtbot.wait(200)
    assert [layer.name for layer in viewer.layers] == ["slide"]
