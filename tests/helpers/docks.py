"""The docks by name, each with an image and a result, and what a user meets in one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from napari.components import ViewerModel
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QAbstractButton, QComboBox, QLineEdit, QListWidget, QScrollBar, QWidget

import napari_deepblur as ndb
from helpers.calibrations import bead_table, calibrated
from helpers.layers import OPTICS, estimated, known_layer
from napari_deepblur.widgets.calibrate.dock import CalibrateDock
from napari_deepblur.widgets.deblur.dock import DeblurDock
from napari_deepblur.widgets.inspector.dock import InspectorDock
from napari_deepblur.widgets.made import Made

__all__ = ["DOCKS", "fields_of", "tab_stops"]

_FIELDS = QAbstractButton | QComboBox | QLineEdit | QListWidget


def deblur_dock() -> DeblurDock:
    """The dock Deep-Blur with an estimate of an image."""
    viewer = ViewerModel()
    layer = viewer.add_layer(known_layer(128, 128))
    dock = DeblurDock(viewer)
    list(dock.controller._work.keep(layer, estimated()))
    return dock


def calibrate_dock() -> CalibrateDock:
    """The dock Calibrate from beads with a calibration of three acquisitions."""
    viewer = ViewerModel()
    layer = viewer.add_layer(known_layer(3, 96, 128, axis_labels=("t", "y", "x"), name="slide"))
    dock = CalibrateDock(viewer)
    made = calibrated([bead_table()] * 3)
    for _ in dock.controller.result._take([layer], [None] * 3, made):
        pass
    return dock


def inspector_dock() -> InspectorDock:
    """The dock PSF inspector with two blurs."""
    viewer = ViewerModel()
    layer = viewer.add_layer(known_layer(96, 128))
    Made.of(viewer).keep_blur(layer, ndb.ideal_blur(ndb.Optics(**OPTICS)))
    dock = InspectorDock(viewer)
    dock.controller.choose(1, layer.unique_id)
    return dock


#: Each dock, with something to show.
DOCKS: dict[str, Callable[[], QWidget]] = {
    "Deep-Blur": deblur_dock,
    "Calibrate from beads": calibrate_dock,
    "PSF inspector": inspector_dock,
}


def fields_of(dock: QWidget) -> Iterator[QWidget]:
    """Everything in a dock that is edited or pressed; not the parts that Qt puts into it."""
    for widget in dock.findChildren(QWidget):
        inner = isinstance(widget.parent(), QComboBox | QScrollBar)
        if isinstance(widget, _FIELDS) and not inner:
            yield widget


def tab_stops(dock: QWidget) -> list[tuple[QWidget, np.ndarray]]:
    """Widgets that Tab goes to, one after the other, with the places of their corners."""
    stops, widget = [], dock.nextInFocusChain()
    while widget is not dock:
        takes_tab = widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        inside = dock.isAncestorOf(widget) and widget in set(fields_of(dock))
        if takes_tab and inside and widget.isVisible() and widget.isEnabled():
            corner = widget.mapTo(dock, QPoint(0, 0))
            stops.append((widget, np.array([corner.y(), corner.x()])))
        widget = widget.nextInFocusChain()
    return stops
