"""A task in napari's activity dock."""

from __future__ import annotations

import threading

import pytest
from napari.utils.progress import progress

from napari_deepblur.engine.events import Progress, Warned
from napari_deepblur.widgets.tasks.activity import Activity
from napari_deepblur.widgets.tasks.task import Cancelled
from napari_deepblur.widgets.tasks.worker import start_task


@pytest.fixture
def bars():
    """Bars that are there, as the activity dock finds them."""
    yield progress._all_instances
    assert not progress._all_instances


def test_the_bar_follows_the_task_and_goes(viewer, bars) -> None:
    activity = Activity(lambda: None, pause=0)
    (bar,) = bars
    totals = []
    bar.events.total.connect(lambda event: totals.append(event.value))
    activity.show(Progress(0, 0, "loading the model"))
    activity.show(Warned("odd"))
    activity.show(Progress(3, 10, "deblurring"))
    activity.show(Progress(5, 10, "deblurring"))
    assert (bar.n, bar.total, bar.desc.rstrip(": ")) == (5, 10, "Deep-Blur: deblurring")
    activity.show(Progress(1, 4, "checking the result"))
    assert (bar.n, bar.total) == (1, 4)
    assert totals == [0, 10, 4]
    activity.close()


def test_cancel_in_the_activity_dock_stops_the_task(module_viewer, viewer, bars, qtbot) -> None:
    from napari._qt.widgets.qt_progress_bar import QtLabeledProgressBar

    ends, may_go_on = [], threading.Event()

    def endless():
        while True:
            yield Progress(0, 0, "waiting")
            may_go_on.wait(0.05)

    start_task(endless(), on_event=lambda event: None, on_end=ends.append)
    qtbot.waitUntil(lambda: len(bars) == 1)
    # Qt deletes those of earlier tasks when it comes to it.
    *_, shown = module_viewer.window._qt_window.findChildren(QtLabeledProgressBar)
    assert not shown.cancel_button.isHidden()
    shown.cancel_button.click()
    qtbot.waitUntil(lambda: ends == [Cancelled()])
    qtbot.waitUntil(lambda: not bars)
