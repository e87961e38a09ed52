"""The dock in a real viewer, with a model whose blur varies over the field."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtWidgets import QFileDialog

from helpers.layers import GEOMETRY, assert_same_geometry, known_layer
from napari_deepblur.engine.models import DEFAULT_MODEL
from napari_deepblur.widgets.deblur.dock import DeblurDock

TIMEOUT = 120_000


@pytest.fixture
def dock(viewer, tiny_varying_model):
    dock = DeblurDock(viewer)
    viewer.window.add_dock_widget(dock, name="Deep-Blur")
    dock.controller.settings.device = "cpu"
    dock.controller.psf.choose_model(tiny_varying_model)
    return dock


def finish(qtbot, dock: DeblurDock) -> None:
    qtbot.waitUntil(lambda: not dock.controller.busy, timeout=TIMEOUT)


def test_estimate_then_deblur(viewer, dock: DeblurDock, qtbot) -> None:
    source = known_layer(2, 96, 128, **GEOMETRY)
    viewer.add_layer(source)
    assert dock.psf.focus_box.isHidden()
    dock.run_bar.estimate.click()
    finish(qtbot, dock)
    assert "Estimated the blur" in dock.message.text()
    assert [layer.name for layer in viewer.layers] == [
        "cells",
        "eigen-PSFs (cells)",
        "PSF field (cells)",
    ]
    assert_same_geometry(viewer.layers["PSF field (cells)"], source)
    assert viewer.layers["PSF field (cells)"].data.shape == (2, 96, 128)
    assert len(dock.psf.blur_panel.bars.value().names) == 6
    assert not dock.psf.blur_panel.over_field.isHidden()

    dock.run_bar.deblur.click()
    finish(qtbot, dock)
    sharp = viewer.layers["deblurred (cells)"]
    assert_same_geometry(sharp, source)
    assert np.isfinite(sharp.data).all()
    assert "residual" in dock.message.text()
    assert dock.deblur.check_panel.value().n_planes == 2
    assert dock.image.layer_box.choices() == [source]


def test_the_psf_follows_the_mouse(viewer, dock: DeblurDock, qtbot) -> None:
    source = known_layer(96, 128)
    viewer.add_layer(source)
    dock.run_bar.estimate.click()
    finish(qtbot, dock)
    viewer.mouse_over_canvas = True
    for column in range(100):
        viewer.cursor.position = source.data_to_world((20, column))
    caption = dock.psf.blur_panel.caption
    qtbot.waitUntil(lambda: caption.text().startswith("PSF at y 20, x 99 px"))
    viewer.mouse_over_canvas = False
    qtbot.waitUntil(lambda: caption.text().startswith("PSF at the field's centre"))


def test_the_mouse_is_looked_at_not_too_often(viewer, dock, qtbot, monkeypatch) -> None:
    source = known_layer(96, 128)
    viewer.add_layer(source)
    dock.run_bar.estimate.click()
    finish(qtbot, dock)
    shown = []
    monkeypatch.setattr(dock.psf.blur_panel, "show_psf", shown.append)
    viewer.mouse_over_canvas = True
    for column in range(100):
        viewer.cursor.position = source.data_to_world((20, column))
    qtbot.waitUntil(lambda: shown and shown[-1].position_yx == (20, 99))
    assert len(shown) < 50


def test_a_dock_that_is_closed_does_not_follow_the_mouse(viewer, dock, qtbot) -> None:
    source = known_layer(96, 128)
    viewer.add_layer(source)
    dock.run_bar.estimate.click()
    finish(qtbot, dock)
    viewer.mouse_over_canvas = True
    for column in (3, 4):  # the second waits
        viewer.cursor.position = source.data_to_world((20, column))
    viewer.window.remove_dock_widget(dock)
    dock.deleteLater()
    qtbot.wait(200)
    viewer.cursor.position = source.data_to_world((20, 50))
    qtbot.wait(100)


def test_save_and_load(viewer, dock: DeblurDock, qtbot, tmp_path, tiny_varying_model) -> None:
    source = known_layer(96, 128)
    viewer.add_layer(source)
    dock.run_bar.estimate.click()
    finish(qtbot, dock)
    shown = dock.psf.blur_panel.value()
    dock.controller.psf.save(tmp_path / "blur.json")
    viewer.layers.clear()
    dock.controller.settings.model = DEFAULT_MODEL
    viewer.add_layer(known_layer(96, 128, name="again"))
    dock.controller.psf.load(tmp_path / "blur.json")
    finish(qtbot, dock)
    assert dock.psf.model_box.value() == str(tiny_varying_model)
    np.testing.assert_allclose(dock.psf.blur_panel.value().psf.psf, shown.psf.psf, atol=1e-6)
    assert "PSF field (again)" in viewer.layers


@pytest.fixture
def plain_dock(viewer) -> DeblurDock:
    dock = DeblurDock(viewer)
    viewer.window.add_dock_widget(dock, name="Deep-Blur")
    return dock


def choose_folder(dock: DeblurDock, monkeypatch, folder: str) -> None:
    """Take the last entry of the list of models, and answer the dialog."""
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: folder)
    last = dock.psf.model_box.count() - 1
    assert dock.psf.model_box.itemText(last) == "Model folder…"
    dock.psf.model_box.setCurrentIndex(last)
    dock.psf.model_box.activated.emit(last)


def test_a_model_folder_is_chosen_in_a_dialog(
    plain_dock, monkeypatch, tiny_varying_model, tmp_path
) -> None:
    dock = plain_dock
    choose_folder(dock, monkeypatch, str(tiny_varying_model))
    assert dock.psf.model_box.value() == str(tiny_varying_model)
    assert dock.psf.model_box.currentText() == "tiny-varying (preview, folder)"
    assert str(tiny_varying_model) in dock.psf.model_box.toolTip()
    choose_folder(dock, monkeypatch, "")
    assert dock.psf.model_box.value() == str(tiny_varying_model)
    choose_folder(dock, monkeypatch, str(tmp_path))
    assert dock.psf.model_box.value() == str(tiny_varying_model)
    assert "is no model folder" in dock.message.text()
    dock.controller.settings.model = DEFAULT_MODEL
    assert dock.psf.model_box.value() == DEFAULT_MODEL
    assert str(tiny_varying_model) in dock.psf.model_box.choices()
