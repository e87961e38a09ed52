"""A task in a napari worker: the only place where thread, Qt and engine meet."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from napari.qt.threading import create_worker
from qtpy.QtCore import QTimer

from napari_deepblur.engine.events import Event, Job
from napari_deepblur.errors import DeviceError, describe
from napari_deepblur.openmp import let_waiting_threads_sleep
from napari_deepblur.widgets.tasks.activity import Activity
from napari_deepblur.widgets.tasks.collector import FullCollections
from napari_deepblur.widgets.tasks.libraries import load_libraries
from napari_deepblur.widgets.tasks.task import Cancelled, Done, Failed, Handover, Outcome

__all__ = ["next_turn", "start_task"]

#: Milliseconds within which the result of a task is mostly shown.
_TAKING_MS = 2000

#: Seconds that a task waits for the window to take what it hands over, which may be gone.
_PATIENCE = 0.5

_FULL_COLLECTIONS = FullCollections()

_LOG = logging.getLogger(__name__)


def start_task(
    task: Job[Any],
    *,
    on_event: Callable[[Event], None],
    on_end: Callable[[Outcome], None],
) -> Callable[[], None]:
    """Run a task in another thread; the callbacks are called in this one.

    Returns
    -------
        Function that cancels: the task is closed, in its thread, after its present step.
    """
    let_waiting_threads_sleep()
    cancelled, taken = threading.Event(), threading.Event()
    worker = create_worker(_guarded, task, cancelled, taken, _start_thread=False)
    _FULL_COLLECTIONS.hold()
    tell_event, tell_end = _until_the_end(Activity(cancelled.set), on_event, on_end, taken.set)
    worker.yielded.connect(tell_event)
    worker.returned.connect(tell_end)
    worker.finished.connect(lambda: QTimer.singleShot(_TAKING_MS, _FULL_COLLECTIONS.release))
    worker.start()
    return cancelled.set


def next_turn(function: Callable[[], None]) -> None:
    """Call a function when the window has answered what waits."""
    QTimer.singleShot(0, function)


def _until_the_end(
    activity: Activity,
    on_event: Callable[[Event], None],
    on_end: Callable[[Outcome], None],
    on_taken: Callable[[], None],
) -> tuple[Callable[[Event], None], Callable[[Outcome], None]]:
    """Make callbacks that let go of the given ones at the task's end.

    Qt may keep a worker, and with it all that its signals are connected to, as long as napari
    runs.
    """
    callbacks = [(on_event, on_end)]

    def tell_event(event: Event) -> None:
        try:
            for tell, _ in callbacks:
                tell(event)
        finally:
            if isinstance(event, Handover):
                # What it leaves for the next turn is done first.
                next_turn(on_taken)
        # Last: napari lets the window answer while it draws the bar, and so the next event come.
        activity.show(event)

    def tell_end(outcome: Outcome) -> None:
        while callbacks:
            _, tell = callbacks.pop()
            tell(outcome)
        activity.close()

    return tell_event, tell_end


def _guarded(task: Job[Any], cancelled: threading.Event, taken: threading.Event) -> Job[Outcome]:
    # A generator worker swallows RuntimeErrors without a signal (out of memory is one), and
    # a generator that its worker quits is closed only by garbage collection. So errors and
    # cancellation are outcomes here.
    load_libraries()
    try:
        while True:
            event = next(task)
            if cancelled.is_set():
                task.close()
                return Cancelled()
            taken.clear()
            yield event
            if isinstance(event, Handover):
                taken.wait(_PATIENCE)
    except StopIteration as stop:
        return Done(stop.value)
    except (DeviceError, ValueError, OSError) as error:
        return Failed(describe(error))
    except Exception as error:  # noqa: BLE001 - logged, and shown to the user
        _LOG.exception("the task failed")
        return Failed(describe(error))
