"""Menus and samples, through napari's own plugin machinery."""

from __future__ import annotations

import pytest
from napari._app_model import get_app_model

from helpers.layers import OPTICS, known_layer
from napari_deepblur.widgets import sample_data
from napari_deepblur.widgets.layers.facts import facts_of


@pytest.mark.parametrize(
    ("command", "result"), [("estimate", "PSF"), ("show_psf", "PSF"), ("deblur", "deblurred")]
)
def test_menu_command_works_on_the_active_layer(viewer, qtbot, command, result) -> None:
    viewer.add_layer(known_layer(64, 64, name="other"))
    chosen = viewer.add_layer(known_layer(64, 64, name="chosen"))
    viewer.add_layer(known_layer(64, 64, name="last"))
    viewer.layers.selection.active = chosen
    get_app_model().commands.execute_command(f"napari-deepblur.{command}").result()
    qtbot.waitUntil(lambda: f"{result} (chosen)" in viewer.layers, timeout=120_000)


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
