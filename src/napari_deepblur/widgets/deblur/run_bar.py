"""Buttons that start and stop a task, and its progress."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_deepblur.engine.events import Progress
from napari_deepblur.widgets.parts.progress_row import ProgressRow
from napari_deepblur.widgets.parts.text import plain_label
from napari_deepblur.widgets.parts.tone import Tone

__all__ = ["RunBar"]

_ESTIMATE_TIP = "Read the blur off the image; the PSF becomes a layer"
_SHOW_TIP = "Show the known PSF at the pixels of the image; it becomes a layer"
_PREVIEW_TIP = (
    "Take the blur out of a part of the current plane, to see what Deblur would give: the shape "
    "that is selected in a Shapes layer, or else what is in view, and of that the middle 512 × 512 "
    "pixels"
)
_PREVIEW_3D_TIP = (
    "Take the blur out of a part of the stack, through its planes, to see what Deblur would give: "
    "the shape that is selected in a Shapes layer, or else what is in view, and of that the middle "
    "160 × 160 pixels. An estimate of the PSF comes first"
)
_COST_TIP = (
    "Time and memory, roughly: at first those of as many cores of a server as are used here, after "
    "a run those of the last one on this computer. Loading the networks comes on top the first time"
)
_IDEAL_TIP = (
    "Take the PSF of a perfect objective of these optics, and show it. It is sharper than the true "
    "one, so it takes out too little blur rather than too much"
)
_ALL_THE_SAME_TIP = (
    "Go on with the PSF that is shown, although the estimate says that it is hardly more than a "
    "guess"
)
_KEEP_TIP = "Keep the preview as a layer of its own"
_DISCARD_TIP = "Throw the preview away; another preview, or Deblur, does so too"


class RunBar(QWidget):
    """Estimate, Preview, Deblur, Cancel and a progress bar; with which PSF; what of a preview.

    Parameters
    ----------
    parent
        Parent widget.
    """

    estimateClicked = Signal()  # noqa: N815
    previewClicked = Signal()  # noqa: N815
    keepClicked = Signal()  # noqa: N815
    discardClicked = Signal()  # noqa: N815
    deblurClicked = Signal()  # noqa: N815
    idealClicked = Signal()  # noqa: N815
    allTheSameClicked = Signal()  # noqa: N815
    cancelClicked = Signal()  # noqa: N815

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.estimate = QPushButton()
        self.set_known(is_known=False)
        self.preview = _button("Preview", _PREVIEW_TIP)
        self.deblur = _button(
            "Deblur", "Take the blur out of the image; estimates it first where that was not done"
        )
        self.keep, self.discard = _button("Keep", _KEEP_TIP), _button("Discard", _DISCARD_TIP)
        self.question = plain_label(tip="The section PSF says why, at why?", wrap=True)
        self.ideal = _button("the ideal PSF", _IDEAL_TIP)
        self.all_the_same = _button("this PSF all the same", _ALL_THE_SAME_TIP)
        self.cost = plain_label(tip=_COST_TIP, wrap=True)
        self._progress = ProgressRow()
        self.cancel = self._progress.cancel
        self.cancel.setToolTip("Stop (Esc); the blur, and planes that are finished, are kept")
        self._arrange()
        for button, signal in (
            (self.estimate, self.estimateClicked),
            (self.preview, self.previewClicked),
            (self.keep, self.keepClicked),
            (self.discard, self.discardClicked),
            (self.deblur, self.deblurClicked),
            (self.ideal, self.idealClicked),
            (self.all_the_same, self.allTheSameClicked),
        ):
            button.clicked.connect(lambda _checked, signal=signal: signal.emit())
        self._progress.cancelClicked.connect(self.cancelClicked.emit)
        self.set_state(busy=False, can_run=False)
        self.show_preview(waits=False)
        self.show_question("")

    def _arrange(self) -> None:
        label = plain_label("The preview:", tip="What becomes of the preview in the viewer")
        self._preview_row = _row(label, self.keep, self.discard)
        self._answers = _row(self.ideal, self.all_the_same)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._preview_row)
        layout.addWidget(self.question)
        layout.addWidget(self._answers)
        layout.addWidget(self.cost)
        layout.addWidget(_row(self.estimate, self.preview, self.deblur))
        layout.addWidget(self._progress)

    def set_state(self, *, busy: bool, can_run: bool) -> None:
        """Enable what can be pressed."""
        for button in (self.estimate, self.preview):
            button.setEnabled(can_run and not busy)
        self.deblur.setEnabled(can_run and not busy and not self.question.text())
        for button in (self.ideal, self.all_the_same):
            button.setEnabled(not busy)
        self.keep.setEnabled(not busy)
        self.discard.setEnabled(not busy)
        self._progress.set_busy(busy=busy)
        self.show_cost(self.cost.text())

    def set_known(self, *, is_known: bool) -> None:
        """Say whether the PSF is known, and needs no estimate."""
        self.estimate.setText("Show PSF" if is_known else "Estimate PSF")
        self.estimate.setToolTip(_SHOW_TIP if is_known else _ESTIMATE_TIP)

    def set_in_3d(self, *, in_3d: bool) -> None:
        """Say what a preview shows of a stack with a 3-D PSF, or of a plane."""
        self.preview.setToolTip(_PREVIEW_3D_TIP if in_3d else _PREVIEW_TIP)

    def show_question(self, text: str) -> None:
        """Ask with which PSF to go on, beside the buttons that answer; empty to ask nothing."""
        self.question.setText(Tone.WARNING.marked(text) if text else "")
        self.question.setVisible(bool(text))
        self._answers.setVisible(bool(text))

    def show_preview(self, *, waits: bool) -> None:
        """Show whether there is a preview to be kept or thrown away."""
        self._preview_row.setVisible(waits)

    def show_cost(self, text: str) -> None:
        """Show what the buttons will take; nothing while a task runs, whose progress tells."""
        self.cost.setText(text)
        self.cost.setVisible(bool(text) and self._progress.cancel.isHidden())

    def setValue(self, progress: Progress) -> None:  # noqa: N802
        """Show the progress of the task; a total of 0 means unknown."""
        self._progress.setValue(progress)

    def value(self) -> tuple[int, int]:
        """Return the number of steps done and their total."""
        return self._progress.value()


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    return button


def _row(*parts: QWidget) -> QWidget:
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    for part in parts:
        layout.addWidget(part, 1)
    return row
