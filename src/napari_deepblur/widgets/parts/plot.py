"""A pyqtgraph plot in the colours of the dock, to look at and not to drag."""

from __future__ import annotations

from typing import Any

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

    plot = pyqtgraph.PlotWidget(background=None)
    plot.setFixedHeight(height)
    plot.setMouseEnabled(x=False, y=False)
    plot.hideButtons()
    plot.setMenuEnabled(False)
    colour = parent.palette().color(parent.foregroundRole())
    for side, text in (("bottom", bottom), ("left", left)):
        axis = plot.getAxis(side)
        axis.setPen(colour)
        axis.setTextPen(colour)
        axis.enableAutoSIPrefix(False)
        if text:
            axis.setLabel(text)
    return plot
