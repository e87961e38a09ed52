"""A PSF drawn with a scale bar: the square root of its intensity, so that rings are seen."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPoint, QRect, QSize, Qt
from qtpy.QtGui import QColor, QImage, QPainter, QPaintEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_deepblur.widgets.parts.coloured import coloured

__all__ = ["PsfPicture", "Scaled", "round_length", "scale_bar_um"]

_SIDE = 120
_GAP = 4
_LONGEST_BAR = 0.5
#: Height of the XZ plane by its width, at most; of a deeper PSF the middle is drawn.
_TALLEST = 1.25


@dataclass(frozen=True, slots=True)
class Scaled:
    """A PSF and the size of its pixels.

    Attributes
    ----------
    psf
        Intensities, shape (Y, X), or (Z, Y, X) for a PSF in three dimensions.
    pixel_size_um
        Side of a pixel, µm.
    z_step_um
        Distance between the planes of a PSF in three dimensions, µm.
    """

    psf: NDArray[np.float32]
    pixel_size_um: float
    z_step_um: float | None = None


class PsfPicture(QWidget):
    """Draws the XY plane of a PSF and, of one in three dimensions, the XZ plane below it.

    Both planes go through the brightest pixel. Two pictures of PSFs with as many pixels of the
    same size have the same scale.

    Parameters
    ----------
    title
        Words in the picture's upper left corner.
    side
        Width of the picture, in pixels of the screen.
    """

    def __init__(self, title: str = "", *, side: int = _SIDE) -> None:
        super().__init__()
        self._title = title
        self._side = side
        self._value: Scaled | None = None
        self._planes: list[tuple[QImage, QSize]] = []
        self.setAccessibleName(title or "PSF")
        self.setToolTip(
            "The square root of the intensity, so that rings and cones are seen beside the peak"
        )
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def value(self) -> Scaled | None:
        """Return the PSF that is drawn."""
        return self._value

    def setValue(self, value: Scaled | None) -> None:  # noqa: N802
        """Draw another PSF, or none."""
        self._value = value
        self._planes = [] if value is None else self._drawn(value)
        self.updateGeometry()
        self.update()

    def setTitle(self, title: str) -> None:  # noqa: N802
        """Write other words into the corner."""
        self._title = title
        self.setAccessibleName(title)
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return the size of all that is drawn."""
        heights = [size.height() for _, size in self._planes] or [self._side]
        return QSize(self._side, sum(heights) + _GAP * (len(heights) - 1))

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the planes from top to bottom, the scale bar in the first."""
        painter = QPainter(self)
        top = 0
        for image, size in self._planes:
            painter.drawImage(QRect(QPoint(0, top), size), image)
            top += size.height() + _GAP
        if self._value is not None:
            self._draw_words(painter, self._value)
        painter.end()

    def _drawn(self, value: Scaled) -> list[tuple[QImage, QSize]]:
        if value.psf.ndim == 2:
            return [self._plane(value.psf, float(value.psf.max()), aspect=1)]
        z, y, _ = np.unravel_index(int(value.psf.argmax()), value.psf.shape)
        peak = float(value.psf.max())
        aspect = (value.z_step_um or value.pixel_size_um) / value.pixel_size_um
        depth, width = value.psf.shape[0], value.psf.shape[-1]
        half = min(int(_TALLEST * width / aspect), depth) // 2
        middle = slice(max(depth // 2 - half, 0), depth // 2 + half + 1)
        return [
            self._plane(value.psf[z], peak, aspect=1),
            self._plane(value.psf[middle, y], peak, aspect=aspect),
        ]

    def _plane(
        self, plane: NDArray[np.float32], peak: float, *, aspect: float
    ) -> tuple[QImage, QSize]:
        """Colour a plane, whose pixels are `aspect` times as tall as wide."""
        shown = np.sqrt(np.clip(plane / peak, 0, 1)) if peak > 0 else np.zeros_like(plane)
        rows, columns = plane.shape
        height = round(self._side * rows * aspect / columns)
        return coloured(shown, "inferno"), QSize(self._side, max(height, 1))

    def _draw_words(self, painter: QPainter, value: Scaled) -> None:
        painter.setPen(QColor("white"))
        font = painter.font()
        font.setPixelSize(11)
        painter.setFont(font)
        painter.drawText(QPoint(4, 12), self._title)
        width_um = value.psf.shape[-1] * value.pixel_size_um
        length_um = scale_bar_um(width_um)
        length = round(self._side * length_um / width_um)
        bottom = self._planes[0][1].height() - 6
        painter.fillRect(QRect(6, bottom - 2, length, 3), QColor("white"))
        above = QRect(6, bottom - 18, self._side, 14)
        painter.drawText(above, Qt.AlignmentFlag.AlignLeft, _written(length_um))
        if len(self._planes) > 1:
            below = self._planes[0][1].height() + _GAP + 12
            painter.drawText(QPoint(4, below), "XZ")


def scale_bar_um(width_um: float) -> float:
    """Return the longest of 1, 2, 5 × 10ᵏ µm that takes at most half of a width."""
    return round_length(_LONGEST_BAR * width_um)


def round_length(longest: float) -> float:
    """Return the largest of 1, 2, 5 × 10ᵏ up to a length, in its unit."""
    power = 10.0 ** math.floor(math.log10(longest))
    return max(step * power for step in (1, 2, 5) if step * power <= longest * (1 + 1e-9))


def _written(length_um: float) -> str:
    return f"{length_um:g} µm" if length_um >= 1 else f"{1000 * length_um:.3g} nm"
