"""Row Compare: a button to hold, a split view with a slider for its border, and the contrast."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QGridLayout, QPushButton, QSlider, QWidget

from napari_deepblur.widgets.deblur.compare.actions import Comparison
from napari_deepblur.widgets.parts.text import plain_label

__all__ = ["FLICK_KEY", "CompareRow"]

#: Held over the canvas it does what the button does; napari itself has no use for it.
FLICK_KEY = "H"

_STEPS = 1000


class CompareRow(QWidget):
    """Compares the observed image with the deblurred one.

    Parameters
    ----------
    parent
        Parent widget.
    """

    held = Signal()
    released = Signal()
    #: Whether the view is to be split.
    splitClicked = Signal(bool)  # noqa: N815
    #: Place of the border, from 0 to 1.
    borderMoved = Signal(float)  # noqa: N815
    #: Contrast of the observed image, as in `DeblurSettings.compare_contrast`.
    contrastChosen = Signal(str)  # noqa: N815

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.flick = QPushButton(f"Observed ({FLICK_KEY})")
        self.flick.setToolTip(
            "While it is held, see the observed image in place of the deblurred one; "
            f"the key {FLICK_KEY} over the image does the same"
        )
        self.split = QPushButton("Split view")
        self.split.setCheckable(True)
        self.split.setToolTip("Observed left of a border, deblurred right of it")
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, _STEPS)
        self.slider.setValue(_STEPS // 2)
        self.slider.setToolTip("Move the border between the observed and the deblurred image")
        self.own_contrast = QCheckBox("Each at its own contrast")
        self.own_contrast.setToolTip(
            "Show the observed image at its own contrast limits. Without it both have those of the "
            "deblurred one, which is fair, but leaves the observed image dark where bright spots "
            "grew much"
        )
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        label = plain_label("Compare", tip="The observed image beside the deblurred one")
        layout.addWidget(label, 0, 0)
        layout.addWidget(self.flick, 0, 1)
        layout.addWidget(self.split, 0, 2)
        layout.addWidget(self.slider, 1, 0, 1, 3)
        layout.addWidget(self.own_contrast, 2, 0, 1, 3)
        layout.setColumnStretch(1, 1)
        self.flick.pressed.connect(self.held.emit)
        self.flick.released.connect(self.released.emit)
        # Of a signal, as PySide calls `emit` without the argument.
        self.split.clicked.connect(self.splitClicked)
        self.slider.valueChanged.connect(lambda value: self.borderMoved.emit(value / _STEPS))
        self.own_contrast.clicked.connect(
            lambda on: self.contrastChosen.emit("own" if on else "equal")
        )
        self.setValue(Comparison())

    def setValue(self, comparison: Comparison) -> None:  # noqa: N802
        """Show what can be compared; the row is hidden where nothing can."""
        self.setVisible(bool(comparison.result))
        self.split.setChecked(comparison.is_split)
        self.slider.setVisible(comparison.is_split)
        self.own_contrast.setChecked(comparison.contrast == "own")
