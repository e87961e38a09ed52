"""A napari window that the tests of a module share: opening and closing one takes seconds."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from napari_deepblur.widgets.calibrate.session import CALIBRATION_SESSIONS
from napari_deepblur.widgets.deblur.session import SESSIONS


@contextmanager
def napari_window(*, show: bool = False) -> Iterator:
    """Open a viewer as napari's own fixture does, and close it without a trace.

    Only a window that is shown draws its canvas.
    """
    from napari import Viewer
    from napari._qt.qt_main_window import _QtMainWindow
    from napari._qt.qt_viewer import QtViewer
    from napari._qt.threads.status_checker import StatusChecker
    from napari.settings import get_settings

    get_settings().reset()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StatusChecker, "start", lambda *_: None)
        patch.setattr(_QtMainWindow, "_save_current_window_settings", lambda _: None)
        viewer = Viewer(show=show, show_welcome_screen=False)
        yield viewer
        viewer.close()
    gc.collect()
    # napari's fixture refuses to begin while one is alive.
    QtViewer._instances.clear()


def emptied(viewer) -> None:
    """Take everything out of a viewer that a test put there, and what the docks remember."""
    viewer.window.remove_dock_widget("all")
    viewer.layers.clear()
    viewer.dims.ndisplay = 2
    viewer.dims.reset()
    viewer.mouse_over_canvas = False
    SESSIONS.pop(viewer, None)
    CALIBRATION_SESSIONS.pop(viewer, None)
