"""How far a task is, and the button that stops it."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QWidget

from napari_deepblur.engine.events import Progress

__all__ = ["ProgressRow"]


class ProgressRow(QWidget):
    """A progress bar and Cancel, seen while a task runs.

    Parameters
    ----------
    parent
        Parent widget.
    """

    cancelClicked = Signal()  # noqa: N815

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bar = QProgressBar()
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip("Stop; nothing is added")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._bar, 3)
        layout.addWidget(self.cancel, 1)
        self.cancel.clicked.connect(lambda _checked: self.cancelClicked.emit())
        self.set_busy(busy=False)

    def set_busy(self, *, busy: bool) -> None:
        """Show the row while a task runs."""
        self.cancel.setVisible(busy)
        self._bar.setVisible(busy)
        if not busy:
            self.setValue(Progress(0, 0, ""))

    def setValue(self, progress: Progress) -> None:  # noqa: N802
        """Show how far the task is; a total of 0 is not known."""
        self._bar.setRange(0, progress.total)
        self._bar.setValue(progress.done)
        self._bar.setFormat(f"{progress.stage} %p %" if progress.total else progress.stage)

    def value(self) -> tuple[int, int]:
        """Steps done and their total."""
        return self._bar.value(), self._bar.maximum()
