"""A number of each plane as a curve, with a marker at the plane that is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_deepblur.widgets.parts.plot import make_plot

__all__ = ["Curve", "CurveOverPlanes"]

_HEIGHT = 120
_SURE = "#56b4e9"
_DOUBTFUL = "#888888"
_MARKER = "#e69f00"


@dataclass(frozen=True, slots=True)
class Curve:
    """A number of each plane.

    Attributes
    ----------
    values
        The numbers, shape (N,); NaN where there is none.
    doubtful
        True for planes whose number is in doubt, shape (N,).
    name
        What the numbers are, with their unit.
    planes
        What the planes are: ``plane``, ``time point`` and so on.
    """

    values: NDArray[np.float32]
    doubtful: NDArray[np.bool_]
    name: str
    planes: str = "plane"


class CurveOverPlanes(QWidget):
    """Draws a curve; a click on it, or a pull on its marker, chooses a plane.

    Parameters
    ----------
    parent
        Parent widget.
    """

    planeChosen = Signal(int)  # noqa: N815

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._value: Curve | None = None
        self._plot: Any = None
        self._marker: Any = None
        self._plane = 0
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.setAccessibleName("Curve over the planes")
        self.setToolTip(
            "Click to go to a plane. Grey points are of planes with something against them"
        )

    def value(self) -> Curve | None:
        """Return the curve that is drawn."""
        return self._value

    def setValue(self, value: Curve | None) -> None:  # noqa: N802
        """Draw another curve, or none."""
        if value is self._value and value is not None:
            return
        self._value = value
        self.setVisible(value is not None)
        if value is None:
            return
        if self._plot is None:
            self._make_plot()
        self._draw(value)

    def plane(self) -> int:
        """Return the plane at which the marker stands."""
        return self._plane

    def setPlane(self, plane: int) -> None:  # noqa: N802
        """Move the marker; nothing is emitted."""
        self._plane = plane
        if self._marker is not None:
            self._marker.setValue(plane)

    def choose_near(self, position: float) -> None:
        """Choose the plane that is nearest to a place on the axis of planes."""
        if self._value is None:
            return
        plane = int(np.clip(round(position), 0, len(self._value.values) - 1))
        moved = plane != self._plane
        self.setPlane(plane)
        if moved:
            self.planeChosen.emit(plane)

    def _make_plot(self) -> None:
        import pyqtgraph

        self._plot = make_plot(self, height=_HEIGHT)
        self._plot.showGrid(y=True, alpha=0.3)
        self._marker = pyqtgraph.InfiniteLine(
            self._plane, angle=90, movable=True, pen={"color": _MARKER, "width": 2}
        )
        self._marker.sigPositionChangeFinished.connect(
            lambda line: self.choose_near(float(line.value()))
        )
        self._plot.scene().sigMouseClicked.connect(self._on_clicked)
        self.layout().addWidget(self._plot)

    def _draw(self, value: Curve) -> None:
        planes = np.arange(len(value.values))
        self._plot.clear()
        self._plot.addItem(self._marker)
        self._plot.plot(planes, value.values, pen=_DOUBTFUL, connect="finite")
        for chosen, colour in ((value.doubtful, _DOUBTFUL), (~value.doubtful, _SURE)):
            look = {"symbol": "o", "symbolSize": 6, "symbolBrush": colour, "symbolPen": colour}
            self._plot.plot(planes[chosen], value.values[chosen], pen=None, **look)
        self._plot.getAxis("bottom").setLabel(value.planes)
        self._plot.getAxis("left").setLabel(value.name)
        self._plot.setXRange(0, max(len(planes) - 1, 1), padding=0.04)

    def _on_clicked(self, event: Any) -> None:
        box = self._plot.getPlotItem().vb
        self.choose_near(float(box.mapSceneToView(event.scenePos()).x()))
