"""Coefficients of a microscope over its acquisitions, as curves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_deepblur.widgets.parts.plot import make_plot

if TYPE_CHECKING:
    from napari_deepblur.widgets.calibrate.view import Drift

__all__ = ["DriftPlot"]

_HEIGHT = 150

#: Distinct for the colour-blind, on light and dark ground (Okabe and Ito). Modes come by their
#: strength: what is beyond these is hardly more than noise.
_COLOURS = ("#e69f00", "#56b4e9", "#009e73", "#cc79a7", "#d55e00", "#0072b2")

_MOST_TICKS = 8


class DriftPlot(QWidget):
    """Draws γ(t); the plotting library is loaded when there is something to draw.

    Parameters
    ----------
    parent
        Parent widget.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._value: Drift | None = None
        self._plot: Any = None
        # Inside the plot it would hide curves.
        self.legend = QLabel(wordWrap=True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.legend)
        self.setAccessibleName("Change between the acquisitions")
        self.setToolTip(
            "Coefficients γ of the operator modes, acquisition by acquisition: each mode is a way "
            "in which the PSFs of the whole field change together. Where a curve is flat, the "
            "microscope did not change"
        )

    def value(self) -> Drift | None:
        """Curves that are drawn."""
        return self._value

    def setValue(self, value: Drift | None) -> None:  # noqa: N802
        """Draw other curves, or none."""
        self._value = value
        self.setVisible(value is not None)
        if value is None:
            return
        curves = list(zip(value.names, value.coefficients.T, _COLOURS, strict=False))
        entries = [f'<span style="color: {colour}">●</span> {name}' for name, _, colour in curves]
        self.legend.setText(f"Change between the acquisitions: {', '.join(entries)}")
        if self._plot is None:
            self._plot = make_plot(self, height=_HEIGHT, bottom="acquisition", left="γ")
            self._plot.showGrid(y=True, alpha=0.3)
            self.layout().addWidget(self._plot)
        self._plot.clear()
        x = np.arange(len(value.acquisitions))
        for _, y, colour in curves:
            look = {"symbolPen": colour, "symbolBrush": colour, "symbolSize": 5}
            self._plot.plot(x, y, pen=colour, symbol="o", **look)
        step = -(-len(x) // _MOST_TICKS)
        ticks = [(number, str(number)) for number in x[::step].tolist()]
        self._plot.getAxis("bottom").setTicks([ticks])
