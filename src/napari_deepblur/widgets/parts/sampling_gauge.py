"""A gauge for how finely an image is sampled beside its optical blur."""

from __future__ import annotations

from qtpy.QtCore import QRectF, QSize
from qtpy.QtGui import QColor, QPainter, QPaintEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_deepblur.optics.settings import UNDERSAMPLED_ABOVE

__all__ = ["SamplingGauge"]

_HEIGHT = 12
_END = 0.5
#: Fine, coarse: distinct for the colour-blind (Okabe and Ito).
_FINE, _COARSE = "#009e73", "#e69f00"


class SamplingGauge(QWidget):
    """Draws NA · pixel / λ on a bar: green where the blur is well sampled, orange beyond.

    Parameters
    ----------
    parent
        Parent widget.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._value: float | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Sampling")
        self.setToolTip(
            "Size of the pixels beside the optical blur, NA · pixel / λ from 0 to 0.5: up to 0.3 "
            "the image holds the whole blur, from 0.5 on none of it"
        )
        self.hide()

    def value(self) -> float | None:
        """Return the cutoff that is shown, in cycles per pixel."""
        return self._value

    def setValue(self, value: float | None) -> None:  # noqa: N802
        """Show a cutoff in cycles per pixel; None hides the gauge."""
        self._value = value
        self.setVisible(value is not None)
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return a flat bar's size."""
        return QSize(100, _HEIGHT)

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the two ranges and the marker."""
        if self._value is None:
            return
        painter = QPainter(self)
        width = self.width() - 4
        fine = width * UNDERSAMPLED_ABOVE / _END
        painter.fillRect(QRectF(2, 4, fine, 4), QColor(_FINE))
        painter.fillRect(QRectF(2 + fine, 4, width - fine, 4), QColor(_COARSE))
        x = 2 + width * min(self._value, _END) / _END
        colour = self.palette().color(self.foregroundRole())
        painter.fillRect(QRectF(min(x, width) - 1, 0, 3, _HEIGHT), colour)
        painter.end()
