"""Two docks with jobs at the same time, each in a viewer of its own."""

from __future__ import annotations

import numpy as np
from napari.components import ViewerModel

from helpers.layers import known_layer
from napari_deepblur.widgets.deblur.dock import DeblurDock

TIMEOUT = 120_000


def dock_of(qtbot, tiny_model, name: str) -> DeblurDock:
    """A dock of its own viewer with one layer."""
    viewer = ViewerModel()
    viewer.add_layer(known_layer(3, 64, 64, name=name))
    dock = DeblurDock(viewer)
    qtbot.addWidget(dock)
    dock.controller.settings.device = "cpu"
    dock.controller.psf.choose_model(tiny_model)
    return dock


def layers_of(dock: DeblurDock) -> dict[str, np.ndarray]:
    return {layer.name: layer.data for layer in dock.controller._work.viewer.layers}


def finish(qtbot, *docks: DeblurDock) -> None:
    qtbot.waitUntil(lambda: not any(dock.controller.busy for dock in docks), timeout=TIMEOUT)


def test_jobs_at_the_same_time_have_the_results_of_jobs_alone(qtbot, tiny_model) -> None:
    alone = dock_of(qtbot, tiny_model, "cells")
    alone.run_bar.deblur.click()
    finish(qtbot, alone)
    docks = [dock_of(qtbot, tiny_model, "cells") for _ in range(2)]
    for dock in docks:
        dock.run_bar.deblur.click()
    assert all(dock.controller.busy for dock in docks)
    finish(qtbot, *docks)
    wanted = layers_of(alone)
    for dock in docks:
        found = layers_of(dock)
        assert list(found) == ["cells", "PSF (cells)", "deblurred (cells)"]
        for name, data in wanted.items():
            np.testing.assert_array_equal(found[name], data, err_msg=name)


def test_cancelling_one_job_leaves_the_other(qtbot, tiny_model) -> None:
    one, other = (dock_of(qtbot, tiny_model, name) for name in ("one", "other"))
    for dock in (one, other):
        dock.run_bar.deblur.click()
    one.run_bar.cancel.click()
    assert other.controller.busy
    finish(qtbot, other)
    assert list(layers_of(one)) == ["one"]
    assert list(layers_of(other)) == ["other", "PSF (other)", "deblurred (other)"]
    assert one.message.text() == "Cancelled."
