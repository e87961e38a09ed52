"""Signal for moves of the mouse over the viewer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from psygnal import Signal

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["CursorWatch", "Pace"]

#: Wraps a function so that it may be called often: it runs at most every so many milliseconds,
#: and once more after the last call.
Pace = Callable[[Callable[[], None]], Callable[[], None]]


class CursorWatch:
    """Tells when the mouse moves over the viewer's canvas, comes to it or leaves it.

    Parameters
    ----------
    viewer
        napari viewer that the mouse moves over.
    pace
        Limit on how often `moved` is emitted.
    """

    moved = Signal()

    def __init__(self, viewer: ViewerModel, pace: Pace) -> None:
        self._viewer = viewer
        self._tell = pace(self._emit)
        viewer.cursor.events.position.connect(self._on_moved)
        viewer.events.mouse_over_canvas.connect(self._on_moved)

    def close(self) -> None:
        """Stop listening."""
        self._viewer.cursor.events.position.disconnect(self._on_moved)
        self._viewer.events.mouse_over_canvas.disconnect(self._on_moved)

    def _on_moved(self) -> None:
        self._tell()

    def _emit(self) -> None:
        self.moved.emit()
