"""A widget that notices when napari closes its dock."""

from __future__ import annotations

from qtpy.QtCore import QEvent, Signal
from qtpy.QtWidgets import QDockWidget, QWidget

__all__ = ["DockWidget"]


class DockWidget(QWidget):
    """Content of a dock; `closed` is emitted once, when napari takes it out.

    napari neither closes nor destroys the content of a dock that the user closes: it takes its
    parent away. A dock that floats, is hidden, or is moved to another side stays open.

    Parameters
    ----------
    parent
        Parent widget.
    """

    closed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._is_docked = False

    def event(self, event: QEvent) -> bool:
        """Look for the change of parent that a closed dock brings."""
        if event.type() == QEvent.Type.ParentChange:
            was_docked, self._is_docked = self._is_docked, self._is_in_dock()
            if was_docked and not self._is_docked:
                self.closed.emit()
        return bool(super().event(event))

    def _is_in_dock(self) -> bool:
        return isinstance(self.parent(), QDockWidget)
