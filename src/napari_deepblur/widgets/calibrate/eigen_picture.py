"""Eigen-PSFs as tiles, each above its weight over the field."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QRect, QSize
from qtpy.QtGui import QImage, QPainter, QPaintEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_deepblur.widgets.calibrate.view import EigenPsfPictures
from napari_deepblur.widgets.layers.tiles_picture import signed_colormap
from napari_deepblur.widgets.parts.coloured import coloured

__all__ = ["EigenPicture"]

_WIDTH, _LARGEST, _GAP = 246, 72, 4


class EigenPicture(QWidget):
    """Draws the strongest eigen-PSFs from left to right: orange above 0, blue below.

    Parameters
    ----------
    parent
        Parent widget.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._value: EigenPsfPictures | None = None
        self._tiles: list[tuple[QImage, QImage]] = []
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Eigen-PSFs")
        self.setToolTip(
            "Above: the pictures that every PSF of the field is put together from, the strongest "
            "first. Below: how much of each there is at each place of the field. Orange above 0, "
            "blue below; each by its own largest value"
        )

    def value(self) -> EigenPsfPictures | None:
        """Return what is drawn."""
        return self._value

    def setValue(self, value: EigenPsfPictures | None) -> None:  # noqa: N802
        """Draw other eigen-PSFs, or none."""
        self._value = value
        pairs = () if value is None else zip(value.eigen_psfs, value.maps, strict=True)
        self._tiles = [(_signed(psf), _signed(weights)) for psf, weights in pairs]
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return the size of two rows of tiles."""
        return QSize(_WIDTH, 2 * self._side() + _GAP)

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw both rows."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        side = self._side()
        for number, rows in enumerate(self._tiles):
            for row, image in enumerate(rows):
                left, top = number * (side + _GAP), row * (side + _GAP)
                painter.drawImage(QRect(left, top, side, side), image)
        painter.end()

    def _side(self) -> int:
        n = max(len(self._tiles), 1)
        return min(_LARGEST, (_WIDTH + _GAP) // n - _GAP)


def _signed(values: NDArray[np.float32]) -> QImage:
    largest = float(np.abs(values).max()) or 1.0
    return coloured(values / (2 * largest) + 0.5, signed_colormap())
