"""Width of the PSF over the field in colours, with the beads that tell it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPointF, QRect, QSize, Qt
from qtpy.QtGui import QColor, QImage, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_deepblur.widgets.calibrate.view import OverField
from napari_deepblur.widgets.parts.coloured import coloured

__all__ = ["FieldPicture"]

_WIDTH, _TALLEST = 246, 160
_DOT, _CROSS = 1.6, 2.0


class FieldPicture(QWidget):
    """Draws the field: bright where the PSF is wide, white dots for the beads that were used.

    Parameters
    ----------
    parent
        Parent widget.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._value: OverField | None = None
        self._image = QImage()
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Width of the PSF over the field")
        self.setToolTip(
            "Full width at half maximum of the PSF at each place of the field: dark where it is "
            "sharpest, bright where it is widest. White dots are the beads that were used, grey "
            "crosses those that were not: where there are no dots, the width is a guess"
        )

    def value(self) -> OverField | None:
        """Return what is drawn."""
        return self._value

    def setValue(self, value: OverField | None) -> None:  # noqa: N802
        """Draw another field, or none."""
        self._value = value
        self.setVisible(value is not None)
        if value is not None:
            low, high = float(value.fwhm_um.min()), float(value.fwhm_um.max())
            self._image = coloured((value.fwhm_um - low) / ((high - low) or 1.0), "viridis")
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return the size of the field, as large as there is room for."""
        rows, columns = (1, 1) if self._value is None else self._value.shape
        scale = min(_WIDTH / columns, _TALLEST / rows)
        return QSize(max(round(scale * columns), 1), max(round(scale * rows), 1))

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw widths and beads."""
        if self._value is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.drawImage(QRect(0, 0, self.width(), self.height()), self._image)
        painter.setPen(QPen(QColor("#bbbbbb"), 1))
        for place in self._places(self._value.rejected):
            for slope in (-1, 1):
                step = QPointF(_CROSS, slope * _CROSS)
                painter.drawLine(place - step, place + step)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor("white"))
        for place in self._places(self._value.used):
            painter.drawEllipse(place, _DOT, _DOT)
        painter.end()

    def _places(self, beads: NDArray[np.float64]) -> list[QPointF]:
        """Return where pixels of the field are in the picture."""
        assert self._value is not None
        rows, columns = self._value.shape
        scale_y, scale_x = self.height() / rows, self.width() / columns
        return [QPointF((x + 0.5) * scale_x, (y + 0.5) * scale_y) for y, x in beads.tolist()]
