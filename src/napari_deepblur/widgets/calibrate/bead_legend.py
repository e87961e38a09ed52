"""Number of beads of each status, with the colours of their points."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QLabel, QWidget

from napari_deepblur.calibration.beads.status import BeadStatus
from napari_deepblur.widgets.calibrate.bead_points import BeadCounts, symbol_of
from napari_deepblur.widgets.parts.text import plain_label

__all__ = ["BeadLegend"]

#: napari's symbols of points as letters.
_GLYPHS = {"disc": "○", "diamond": "◇", "square": "□"}


class BeadLegend(QWidget):
    """The number of beads of each status, beside its colour.

    Parameters
    ----------
    parent
        Parent widget.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._value: BeadCounts | None = None
        self.title = plain_label(tip="Point at a bead: the status bar tells its figures", wrap=True)
        self.entries = {status: _entry(status) for status in BeadStatus}
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(8, 0, 0, 4)
        self._grid.setVerticalSpacing(2)
        self._grid.addWidget(self.title, 0, 0, 1, 2)
        self.setValue(None)

    def value(self) -> BeadCounts | None:
        """Return the numbers that are shown."""
        return self._value

    def setValue(self, value: BeadCounts | None) -> None:  # noqa: N802
        """Show numbers by status; None where no beads were looked for."""
        self._value = value
        counts = value or {}
        n = sum(counts.values())
        none = "Press Find beads, or Calibrate at once." if value is None else "No beads."
        many = f"{n} bead{'' if n == 1 else 's'}, drawn on the image:"
        self.title.setText(many if n else none)
        for status, label in self.entries.items():
            self._grid.removeWidget(label)
            label.setVisible(status in counts)
        for place, (status, count) in enumerate(counts.items()):
            label = self.entries[status]
            sign = f'<b style="color: {status.colour}">{_GLYPHS[symbol_of(status)]}</b>'
            label.setText(f"{sign} {count} {status}")
            self._grid.addWidget(label, place // 2 + 1, place % 2)


def _entry(status: BeadStatus) -> QLabel:
    label = QLabel()
    label.setTextFormat(Qt.TextFormat.RichText)
    label.setToolTip(status.meaning)
    return label
