"""A dock that is closed ends: its task stops, it listens no more, and it is released."""

from __future__ import annotations

import gc
import time
import weakref

import pytest
import qtpy
from napari.utils.notifications import notification_manager
from qtpy.QtGui import QShortcut

from helpers.layers import estimated, known_layer, spots
from helpers.windows import napari_window
from napari_deepblur.engine.events import Progress
from napari_deepblur.widgets.deblur import psf_actions
from napari_deepblur.widgets.deblur.dock import DeblurDock

DOCK = "Deep-Blur"


class Endless:
    """A task that ends only by being closed, and counts its steps."""

    def __init__(self) -> None:
        self.n_steps, self.closed = 0, False

    def __call__(self, *_):
        try:
            while True:
                self.n_steps += 1
                time.sleep(0.001)  # or the window would hear of nothing else
                yield Progress(0, 0, "waiting")
        finally:
            self.closed = True


@pytest.fixture
def endless(monkeypatch) -> Endless:
    task = Endless()
    monkeypatch.setattr(psf_actions, "estimate_task", task)
    return task


def open_dock(viewer) -> DeblurDock:
    dock = DeblurDock(viewer)
    viewer.window.add_dock_widget(dock, name=DOCK)
    return dock


def iter_result(result):
    """A task that soon has a result."""
    yield Progress(0, 1, "estimating the blur")
    return result


def press_close(viewer) -> None:
    """Do what the button in the title bar of a dock does."""
    viewer.window._wrapped_dock_widgets[DOCK].destroyOnClose()


def n_listeners(viewer) -> list[int]:
    """Numbers of callbacks of all events that a dock listens to."""
    layers = [emitter for layer in viewer.layers for emitter in layer.events.emitters.values()]
    of_viewer = (
        viewer.layers.events.inserted,
        viewer.layers.events.removed,
        viewer.layers.events.reordered,
        viewer.dims.events.current_step,
        viewer.cursor.events.position,
        viewer.events.mouse_over_canvas,
    )
    gc.collect()
    return [len(emitter.callbacks) for emitter in (*of_viewer, *layers)]


def test_a_closed_dock_stops_its_task_and_says_so(module_viewer, viewer, qtbot, endless) -> None:
    viewer.add_layer(known_layer(64, 64))
    dock = open_dock(module_viewer)
    dock.run_bar.estimate.click()
    qtbot.waitUntil(lambda: endless.n_steps > 1)
    notification_manager.records.clear()
    press_close(module_viewer)
    qtbot.waitUntil(lambda: endless.closed)
    assert not dock.controller.busy
    assert any("closed" in record.message for record in notification_manager.records)
    viewer.add_image(spots(64, 64), name="late")
    assert [layer.name for layer in viewer.layers] == ["cells", "late"]


def test_a_dock_that_floats_or_hides_goes_on(module_viewer, viewer, qtbot, endless) -> None:
    viewer.add_layer(known_layer(64, 64))
    dock = open_dock(module_viewer)
    dock.run_bar.estimate.click()
    frame = module_viewer.window._wrapped_dock_widgets[DOCK]
    frame.setFloating(True)
    frame.hide()
    frame.show()
    frame.setFloating(False)
    qtbot.waitUntil(lambda: endless.n_steps > 1)
    assert dock.controller.busy
    dock.run_bar.cancel.click()
    qtbot.waitUntil(lambda: endless.closed)


def test_escape_cancels(module_viewer, viewer, qtbot, endless) -> None:
    viewer.add_layer(known_layer(64, 64))
    dock = open_dock(module_viewer)
    dock.run_bar.estimate.click()
    qtbot.waitUntil(lambda: endless.n_steps > 1)
    (escape,) = dock.findChildren(QShortcut)
    escape.activated.emit()
    assert not dock.controller.busy
    qtbot.waitUntil(lambda: endless.closed)


def test_docks_that_were_closed_leave_nothing_behind(
    module_viewer, viewer, qtbot, monkeypatch
) -> None:
    viewer.add_layer(known_layer(64, 64))
    open_dock(module_viewer)
    press_close(module_viewer)
    before, docks = n_listeners(module_viewer), []
    monkeypatch.setattr(psf_actions, "estimate_task", lambda *_: iter_result(estimated()))
    for _ in range(3):
        dock = open_dock(module_viewer)
        dock.run_bar.estimate.click()
        qtbot.waitUntil(lambda dock=dock: not dock.controller.busy)
        docks.append(weakref.ref(dock))
        del dock
        viewer.layers.remove("PSF (cells)")
        press_close(module_viewer)
    # Qt deletes the frames when it comes to its events.
    qtbot.wait(100)
    assert n_listeners(module_viewer) == before
    # PySide keeps the Python side of widgets that are gone; they hear nothing any more.
    assert qtpy.PYSIDE6 or [dock() for dock in docks] == [None] * 3


def test_a_dock_opened_again_goes_on_where_the_closed_one_stopped(module_viewer, viewer) -> None:
    viewer.add_layer(known_layer(64, 64, name="one"))
    chosen = viewer.add_layer(known_layer(64, 64, name="two"))
    viewer.add_layer(known_layer(64, 64, name="three"))
    viewer.layers.selection.clear()
    first = open_dock(module_viewer)
    first.image.layer_box.valueChanged.emit(chosen)
    first.psf.per_box.valueChanged.emit("stack")
    first.image.optics_form.valueChanged.emit("numerical_aperture", 1.25)
    press_close(module_viewer)
    again = open_dock(module_viewer)
    assert again.image.layer_box.value() == chosen
    assert again.psf.per_box.value() == "stack"
    assert again.image.optics_form.value()["numerical_aperture"] == 1.25


@pytest.mark.usefixtures("module_viewer")
def test_a_window_that_is_closed_stops_the_task(qtbot, endless) -> None:
    with napari_window() as viewer:
        viewer.add_layer(known_layer(64, 64))
        open_dock(viewer).run_bar.estimate.click()
        qtbot.waitUntil(lambda: endless.n_steps > 1)
    qtbot.waitUntil(lambda: endless.closed)
