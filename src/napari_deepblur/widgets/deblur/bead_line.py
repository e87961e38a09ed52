"""Line that says from how many beads a blur was read, and offers to calibrate from them."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QToolButton, QWidget

from napari_deepblur.widgets.parts.text import plain_label

__all__ = ["BeadLine"]

_TIP = (
    "The image holds spots that stand alone on empty ground, as beads do, and one PSF explains "
    "them all: so the blur was fitted to them, and not read by the network"
)
_CALIBRATE_TIP = (
    "Open the dock Calibrate from beads: where many beads are spread over the field it tells how "
    "the PSF changes over it"
)


class BeadLine(QWidget):
    """Says that a blur was read from beads; hidden where it was not.

    Parameters
    ----------
    parent
        Parent widget.
    """

    calibrateClicked = Signal()  # noqa: N815

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.label = plain_label(tip=_TIP, wrap=True)
        self.button = QToolButton()
        self.button.setText("Calibrate…")
        self.button.setToolTip(_CALIBRATE_TIP)
        self.button.clicked.connect(lambda _on: self.calibrateClicked.emit())
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.label, 1)
        row.addWidget(self.button)
        self.setValue(0)

    def setValue(self, n_beads: int) -> None:  # noqa: N802
        """Show the number of beads."""
        beads = "one isolated bead" if n_beads == 1 else f"{n_beads} isolated beads"
        self.label.setText(f"Read from {beads}.")
        self.setVisible(n_beads > 0)
