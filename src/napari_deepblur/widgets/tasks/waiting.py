"""Waiting for a function that takes long, where napari itself waits for its result."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

from qtpy.QtCore import QEventLoop, QThread
from qtpy.QtWidgets import QApplication

from napari_deepblur.openmp import let_waiting_threads_sleep
from napari_deepblur.widgets.tasks.libraries import load_libraries

__all__ = ["while_the_window_draws"]

Result = TypeVar("Result")

#: Seconds between two looks at what the window has to do.
_PAUSE = 0.005


def while_the_window_draws(function: Callable[[], Result]) -> Result:
    """Call a function in another thread, and let the window draw itself until it returns.

    Keys and clicks wait, so that nothing is begun that the result would come in between. Without
    a window, or from another thread, the function is simply called.

    Parameters
    ----------
    function
        The function; it must leave Qt alone.

    Returns
    -------
        What it returns.
    """
    application = QApplication.instance()
    if application is None or QThread.currentThread() is not application.thread():
        return function()
    let_waiting_threads_sleep()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(load_libraries)
        result = pool.submit(function)
        while wait([result], _PAUSE).not_done:
            application.processEvents(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents)
    return result.result()
