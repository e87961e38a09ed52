"""Deblurring in a real window: planes come in, Cancel keeps them."""

from __future__ import annotations

import re
import time

import numpy as np
import pytest

from helpers.layers import known_layer
from helpers.windows import napari_window
from napari_deepblur.widgets.deblur.dock import DeblurDock

TIMEOUT = 120_000


@pytest.fixture
def dock(viewer):
    dock = DeblurDock(viewer)
    viewer.window.add_dock_widget(dock, name="Deep-Blur")
    dock.controller.settings.device = "cpu"
    dock.controller.settings.update({"psf_source": "ideal", "per": "plane"})
    return dock


def begin(viewer, dock: DeblurDock, qtbot, *, until: int = 1) -> None:
    """Deblur until some planes are there; the window may show two of them at once."""

    def n_finished() -> int:
        counted = re.search(r", (\d+) of \d+$", viewer.layers[-1].name)
        return int(counted[1]) if counted else 0

    dock.run_bar.deblur.click()
    qtbot.waitUntil(lambda: n_finished() >= until, timeout=TIMEOUT)


def test_cancel_within_a_second_keeps_the_finished_planes(viewer, dock, qtbot) -> None:
    viewer.add_layer(known_layer(40, 256, 256))
    begin(viewer, dock, qtbot, until=2)
    start = time.perf_counter()
    dock.run_bar.cancel.click()
    assert not dock.controller.busy
    assert time.perf_counter() - start < 1
    layer = viewer.layers[-1]
    done = layer.metadata["deepblur"]["planes_done"]
    assert layer.name == f"deblurred, ideal PSF (cells), incomplete: {len(done)} of 40"
    assert done == list(range(len(done)))
    assert 2 <= len(done) < 40
    assert f"{len(done)} of 40 planes are finished and kept" in dock.message.text()
    qtbot.wait(500)  # what the thread was at comes to nothing
    assert layer.data[: len(done)].any(axis=(1, 2)).all()
    assert not layer.data[len(done) :].any()
    np.testing.assert_allclose(layer.scale, viewer.layers["cells"].scale)


def test_removing_the_layer_keeps_its_finished_planes(viewer, dock, qtbot) -> None:
    viewer.add_layer(known_layer(40, 256, 256))
    begin(viewer, dock, qtbot)
    viewer.layers.remove("cells")
    assert not dock.controller.busy
    assert "incomplete" in viewer.layers[-1].name
    assert "was removed" in dock.message.text()
    assert "kept" in dock.message.text()


def test_closing_the_dock_keeps_its_finished_planes(module_viewer, viewer, dock, qtbot) -> None:
    viewer.add_layer(known_layer(40, 256, 256))
    begin(viewer, dock, qtbot)
    module_viewer.window._wrapped_dock_widgets["Deep-Blur"].destroyOnClose()
    assert "incomplete" in viewer.layers[-1].name


@pytest.mark.usefixtures("module_viewer")
def test_a_window_can_be_closed_while_planes_come_in(qtbot) -> None:
    with napari_window() as viewer:
        viewer.add_layer(known_layer(40, 256, 256))
        dock = DeblurDock(viewer)
        viewer.window.add_dock_widget(dock, name="Deep-Blur")
        dock.controller.settings.device = "cpu"
        dock.controller.settings.update({"psf_source": "ideal", "per": "plane"})
        begin(viewer, dock, qtbot)


def test_planes_come_in_from_the_first_to_the_last(viewer, dock, qtbot) -> None:
    viewer.add_layer(known_layer(3, 96, 96))
    names = []
    viewer.layers.events.inserted.connect(lambda event: names.append(event.value.name))
    dock.run_bar.deblur.click()
    qtbot.waitUntil(lambda: not dock.controller.busy, timeout=TIMEOUT)
    assert [layer.name for layer in viewer.layers] == [
        "cells",
        "PSF (cells)",
        "deblurred, ideal PSF (cells)",
    ]
    assert names == ["PSF (cells)", "deblurred, ideal PSF (cells), 1 of 3"]
    assert viewer.layers[-1].data.any(axis=(1, 2)).all()
