"""A plot of the same curve of one or two PSFs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_deepblur.engine.psf_figures import Line
from napari_deepblur.widgets.parts.plot import make_plot

__all__ = ["COLOURS", "LinePlot"]

#: Of the first and the second PSF; distinct for the colour-blind (Okabe and Ito).
COLOURS = ("#56b4e9", "#e69f00")

_HEIGHT = 150


class LinePlot(QWidget):
    """Draws lines in the colours of the PSFs, and marks a place on the axis.

    Parameters
    ----------
    bottom, left
        Names of the axes, with their units.
    tip
        Tooltip.
    """

    def __init__(self, bottom: str, left: str, tip: str) -> None:
        super().__init__()
        self._names = bottom, left
        self._plot: Any = None
        self._value: tuple[Line | None, ...] = ()
        self.setToolTip(tip)
        self.setAccessibleName(f"{left} over {bottom}")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)

    def value(self) -> tuple[Line | None, ...]:
        """Return the lines that are drawn, None for a PSF that has none."""
        return self._value

    def setValue(  # noqa: N802
        self, value: Sequence[Line | None], *, marks: Sequence[float | None] = ()
    ) -> None:
        """Draw other lines, and dashed upright ones at the marks; none hides the plot."""
        self._value = tuple(value)
        self.setVisible(any(line is not None for line in value))
        if self.isHidden():
            return
        if self._plot is None:
            bottom, left = self._names
            self._plot = make_plot(self, height=_HEIGHT, bottom=bottom, left=left)
            self._plot.showGrid(x=True, y=True, alpha=0.3)
            self.layout().addWidget(self._plot)
        self._plot.clear()
        for line, colour in zip(value, COLOURS, strict=False):
            if line is not None:
                self._plot.plot(line.x, line.y, pen={"color": colour, "width": 2})
        for mark, colour in zip(marks, COLOURS, strict=False):
            if mark is not None:
                self._mark(mark, colour)

    def _mark(self, place: float, colour: str) -> None:
        import pyqtgraph
        from qtpy.QtCore import Qt

        pen = {"color": colour, "style": Qt.PenStyle.DashLine}
        self._plot.addItem(pyqtgraph.InfiniteLine(place, angle=90, pen=pen))
