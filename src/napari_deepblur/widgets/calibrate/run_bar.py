"""Buttons that start and stop a task, and its progress."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGridLayout, QPushButton, QWidget

from napari_deepblur.widgets.parts.progress_row import ProgressRow

__all__ = ["CalibrateBar"]


class CalibrateBar(QWidget):
    """Find beads, Calibrate, Cancel and a progress bar.

    Parameters
    ----------
    parent
        Parent widget.
    """

    findClicked = Signal()  # noqa: N815
    calibrateClicked = Signal()  # noqa: N815

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.find = QPushButton("Find beads")
        self.find.setToolTip("Mark the beads with points that you can delete and add to")
        self.calibrate = QPushButton("Calibrate")
        self.calibrate.setToolTip(
            "Learn the PSF over the field from the points marked as used or added; finds the "
            "beads first where that was not done"
        )
        self.progress = ProgressRow()
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.find, 0, 0)
        layout.addWidget(self.calibrate, 0, 1)
        layout.addWidget(self.progress, 1, 0, 1, 2)
        self.find.clicked.connect(lambda _checked: self.findClicked.emit())
        self.calibrate.clicked.connect(lambda _checked: self.calibrateClicked.emit())
        self.set_state(busy=False, can_run=False)

    def set_state(self, *, busy: bool, can_run: bool) -> None:
        """Enable what can be pressed."""
        for button in (self.find, self.calibrate):
            button.setEnabled(can_run and not busy)
        self.progress.set_busy(busy=busy)
