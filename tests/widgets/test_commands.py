"""Menus and samples, through napari's own plugin machinery."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from napari._app_model import get_app_model
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QDialog

from helpers.layers import OPTICS, known_layer
from napari_deepblur.widgets import sample_data
from napari_deepblur.widgets.deblur.dock import DeblurDock
from napari_deepblur.widgets.layers.facts import facts_of


class Answer:
    """Answers the next dialog: sets its fields and presses OK or Cancel."""

    def __init__(self, *, ok: bool = True, **fields: Any) -> None:
        self._ok, self._fields = ok, fields
        self.title, self.shown = "", {}
        self._timer = QTimer()
        self._timer.timeout.connect(self._look)
        self._timer.start(20)

    def _look(self) -> None:
        dialog = QApplication.activeModalWidget()
        if dialog is None:
            return
        self._timer.stop()
        try:
            self._fill(dialog)
        finally:
            # Else the test would wait for ever.
            (dialog.accept if self._ok else dialog.reject)()

    def _fill(self, dialog: QDialog) -> None:
        self.title = dialog.windowTitle()
        form = {field.name: field for field in dialog._magic_widget}
        self.shown = {name: form[name].native.text() for name in form if hasattr(form[name], "min")}
        for name, value in self._fields.items():
            form[name].value = value


def execute(command: str) -> None:
    get_app_model().commands.execute_command(f"napari-deepblur.{command}").result()


def dock_of(viewer) -> DeblurDock:
    return viewer.window.add_plugin_dock_widget("napari-deepblur", "Deep-Blur")[1]


@pytest.mark.parametrize(
    ("command", "result", "asks"),
    [
        ("estimate", "PSF", "Estimate the blur: chosen"),
        ("show_psf", "PSF", ""),
        ("deblur", "deblurred", "Deblur: chosen"),
    ],
)
def test_menu_command_works_on_the_active_layer(viewer, qtbot, command, result, asks) -> None:
    viewer.add_layer(known_layer(64, 64, name="other"))
    chosen = viewer.add_layer(known_layer(64, 64, name="chosen"))
    viewer.add_layer(known_layer(64, 64, name="last"))
    viewer.layers.selection.active = chosen
    answer = Answer()
    execute(command)
    qtbot.waitUntil(lambda: f"{result} (chosen)" in viewer.layers, timeout=120_000)
    qtbot.waitUntil(lambda: not dock_of(viewer).controller.busy, timeout=120_000)
    assert answer.title == asks


def test_a_command_asks_for_what_it_needs(viewer, qtbot, tiny_model) -> None:
    metadata = {"deepblur": {"optics": {**OPTICS, "numerical_aperture": None}}}
    viewer.add_layer(known_layer(2, 64, 64, axis_labels=("t", "y", "x"), metadata=metadata))
    controller = dock_of(viewer).controller
    controller.psf.choose_model(tiny_model)
    answer = Answer(numerical_aperture=1.2, per="stack")
    execute("estimate")
    assert answer.shown["numerical_aperture"] == "not known"
    assert float(answer.shown["pixel_size_um"]) == 0.09
    qtbot.waitUntil(lambda: not controller.busy, timeout=120_000)
    assert "PSF (cells)" in viewer.layers
    assert controller.resolved.optics.numerical_aperture == 1.2
    # What was left as proposed is none of the user's wishes.
    settings = controller.settings
    assert (settings.numerical_aperture, settings.per) == (1.2, "stack")
    assert (settings.wavelength_um, settings.pixel_size_um) == (None, None)


def test_nothing_is_done_where_the_dialog_is_cancelled(viewer) -> None:
    viewer.add_layer(known_layer(64, 64))
    answer = Answer(ok=False, numerical_aperture=1.2)
    execute("deblur")
    assert answer.title == "Deblur: cells"
    controller = dock_of(viewer).controller
    assert not controller.busy
    assert controller.settings.numerical_aperture is None
    assert [layer.name for layer in viewer.layers] == ["cells"]


def test_nothing_is_asked_where_nothing_can_be_done(viewer) -> None:
    viewer.add_image(np.zeros((64, 64, 3), np.uint8), rgb=True)
    execute("deblur")
    assert "RGB" in dock_of(viewer).message.text()


@pytest.mark.parametrize(
    ("name", "n_coefficients"), [("podosomes", 7), ("spheroid", 12 * 7), ("lymphocyte", 12)]
)
def test_sample_knows_its_optics_and_its_truth(viewer, name: str, n_coefficients: int) -> None:
    (layer,) = viewer.open_sample("napari-deepblur", name)
    facts = facts_of(layer)
    assert not facts.problem
    assert set(facts.known) == {*OPTICS, *(["z_step_um"] if "Z" in facts.axes else [])}
    assert layer.axis_labels == tuple(facts.axes.lower())
    assert layer.metadata["deepblur"]["true_coefficients"].size == n_coefficients


def test_the_bead_field_can_be_calibrated_from(viewer) -> None:
    (layer,) = viewer.open_sample("napari-deepblur", "bead_field")
    facts = facts_of(layer)
    assert not facts.problem
    assert set(facts.known) == set(OPTICS)
    _, dock = viewer.window.add_plugin_dock_widget("napari-deepblur", "Calibrate from beads")
    assert dock.controller.plan.can_run


def test_sample_functions_return_layer_data() -> None:
    ((data, arguments, kind),) = sample_data.podosomes()
    assert kind == "image"
    assert data.ndim == len(arguments["scale"])
