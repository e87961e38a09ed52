"""A pyqtgraph plot in the colours of the dock, to look at and not to drag."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QWidget

__all__ = ["make_plot"]


def make_plot(parent: QWidget, *, height: int, bottom: str = "", left: str = "") -> Any:
    """Make a plot; the plotting library is loaded by the first one.

    Parameters
    ----------
    parent
        Widget whose text colour the axes take.
    height
        Height in pixels of the screen.
    bottom, left
        Names of the axes.
    """
    import pyqtgraph

    plot = pyqtgraph.PlotWidget(background=None, enableMenu=False)
    plot.setFixedHeight(height)
    plot.setMouseEnabled(x=False, y=False)
    plot.hideButtons()
    # Else the letters that reach below the line of the axis' name are cut.
    plot.getPlotItem().layout.setContentsMargins(1, 1, 1, 5)
    for side, text in (("bottom", bottom), ("left", left)):
        axis = plot.getAxis(side)
        axis.enableAutoSIPrefix(False)
        if text:
            axis.setLabel(text)
    parent.installEventFilter(_TextColour(plot, parent))
    return plot


class _TextColour(QObject):
    """Keeps a plot's axes in the text colour of a widget, which a theme sets after it is made."""

    def __init__(self, plot: Any, widget: QWidget) -> None:
        super().__init__(plot)
        self._plot = plot
        self._paint(widget)

    def eventFilter(self, widget: Any, event: Any) -> bool:  # noqa: N802 - Qt's name
        if event.type() in (QEvent.Type.Show, QEvent.Type.PaletteChange, QEvent.Type.StyleChange):
            self._paint(widget)
        return False

    def _paint(self, widget: QWidget) -> None:
        colour = widget.palette().color(widget.foregroundRole())
        for side in ("bottom", "left"):
            axis = self._plot.getAxis(side)
            axis.setPen(colour)
            axis.setTextPen(colour)
