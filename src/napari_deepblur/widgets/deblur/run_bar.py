"""Buttons that start and stop a task, and its progress."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGridLayout, QPushButton, QWidget

from napari_deepblur.engine.events import Progress
from napari_deepblur.widgets.parts.progress_row import ProgressRow

__all__ = ["RunBar"]

_ESTIMATE_TIP = "Read the blur off the image; the PSF becomes a layer"
_SHOW_TIP = "Show the known PSF at the pixels of the image; it becomes a layer"


class RunBar(QWidget):
    """Estimate, Deblur, Cancel and a progress bar.

    Parameters
    ----------
    parent
        Parent widget.
    """

    estimateClicked = Signal()  # noqa: N815
    deblurClicked = Signal()  # noqa: N815
    cancelClicked = Signal()  # noqa: N815

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.estimate = QPushButton()
        self.set_known(is_known=False)
        self.deblur = QPushButton("Deblur")
        self.deblur.setToolTip(
            "Take the blur out of the image; estimates it first where that was not done"
        )
        self._progress = ProgressRow()
        self.cancel = self._progress.cancel
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.estimate, 0, 0, 1, 2)
        layout.addWidget(self.deblur, 0, 2, 1, 2)
        layout.addWidget(self._progress, 1, 0, 1, 4)
        self.estimate.clicked.connect(lambda _checked: self.estimateClicked.emit())
        self.deblur.clicked.connect(lambda _checked: self.deblurClicked.emit())
        self._progress.cancelClicked.connect(self.cancelClicked.emit)
        self.set_state(busy=False, can_run=False)

    def set_state(self, *, busy: bool, can_run: bool) -> None:
        """Enable what can be pressed."""
        self.estimate.setEnabled(can_run and not busy)
        self.deblur.setEnabled(can_run and not busy)
        self._progress.set_busy(busy=busy)

    def set_known(self, *, is_known: bool) -> None:
        """Say whether the PSF is known, and needs no estimate."""
        self.estimate.setText("Show PSF" if is_known else "Estimate PSF")
        self.estimate.setToolTip(_SHOW_TIP if is_known else _ESTIMATE_TIP)

    def setValue(self, progress: Progress) -> None:  # noqa: N802
        """Show the progress of the task; a total of 0 means unknown."""
        self._progress.setValue(progress)

    def value(self) -> tuple[int, int]:
        """Return the number of steps done and their total."""
        return self._progress.value()
