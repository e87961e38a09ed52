"""Progress of a task in words and as a bar, and the button that stops it."""

from __future__ import annotations

import time

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGridLayout, QProgressBar, QPushButton, QWidget

from napari_deepblur.engine.events import Progress
from napari_deepblur.widgets.parts.text import plain_label
from napari_deepblur.widgets.tasks.time_left import TimeLeft, in_words

__all__ = ["ProgressRow"]


class ProgressRow(QWidget):
    """A line that says what is done, a progress bar and Cancel, seen while a task runs.

    Parameters
    ----------
    parent
        Parent widget.
    """

    cancelClicked = Signal()  # noqa: N815

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        # Qt writes nothing on a bar whose total is not known, so the words stand above it.
        self.stage = plain_label(tip="What is being done now", wrap=True)
        self._time_left = TimeLeft()
        self._bar = QProgressBar()
        self._bar.setFormat("%p %")
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip("Stop (Esc); nothing is added")
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setColumnStretch(0, 1)
        layout.addWidget(self.stage, 0, 0, 1, 2)
        layout.addWidget(self._bar, 1, 0)
        layout.addWidget(self.cancel, 1, 1)
        self.cancel.clicked.connect(lambda _checked: self.cancelClicked.emit())
        self.set_busy(busy=False)

    def set_busy(self, *, busy: bool) -> None:
        """Show the row while a task runs."""
        for widget in (self.stage, self._bar, self.cancel):
            widget.setVisible(busy)
        if not busy:
            self._time_left = TimeLeft()
            self.setValue(Progress(0, 0, ""))

    def setValue(self, progress: Progress) -> None:  # noqa: N802
        """Show the progress of the task; a total of 0 means unknown."""
        stage, left = progress.stage, self._time_left.after(progress, time.monotonic())
        text = f"{stage[:1].upper()}{stage[1:]}…" if stage else "Starting…"
        self.stage.setText(text if left is None else f"{text} about {in_words(left)} left")
        self._bar.setRange(0, progress.total)
        self._bar.setValue(progress.done)

    def value(self) -> tuple[int, int]:
        """Return the number of steps done and their total."""
        return self._bar.value(), self._bar.maximum()
