"""Calibrations in the viewer: layers added, and brought up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from napari.layers import Image

from napari_deepblur.widgets.calibrate.bead_lists import BeadLists
from napari_deepblur.widgets.calibrate.layers import LayerData, field_layer, part_layers
from napari_deepblur.widgets.calibrate.tasks import Calibrated
from napari_deepblur.widgets.layers.update import bring_up_to_date

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["ResultLayers"]


class ResultLayers:
    """Shows calibrations beneath the points of their beads.

    Layers of a former calibration of the same image are brought up to date and not replaced:
    napari takes long to remove a layer.

    Parameters
    ----------
    viewer
        napari viewer that gets the layers.
    beads
        Beads, whose points stay above.
    """

    def __init__(self, viewer: ViewerModel, beads: BeadLists) -> None:
        self._viewer = viewer
        self._beads = beads
        # Layers that were added, by their image and their kind.
        self._shown: WeakKeyDictionary[Image, dict[str, Image]] = WeakKeyDictionary()

    def show_field(
        self, layer: Image, calibrated: Calibrated, times: slice, *, is_visible: bool
    ) -> None:
        """Lay the PSFs over the field on an image; mosaics on top of one another are a muddle."""
        self._put(layer, field_layer(layer, calibrated, times), is_visible=is_visible)

    def show_parts(self, layer: Image, calibrated: Calibrated, times: slice) -> None:
        """Put the eigen-PSFs and their weight maps beside an image."""
        for made in part_layers(layer, calibrated, times):
            self._put(layer, made)

    def _put(self, layer: Image, made: LayerData, *, is_visible: bool = True) -> None:
        data, arguments = made
        kind = arguments["metadata"]["deepblur"]["kind"]
        former = self._shown.setdefault(layer, {}).get(kind)
        if former is not None and former in self._viewer.layers:
            bring_up_to_date(former, data, arguments)
            return
        shown = Image(data, **arguments, visible=is_visible)
        points = self._beads.of(layer)
        below = len(self._viewer.layers) if points is None else self._place(points.points)
        self._viewer.layers.insert(below, shown)
        self._shown[layer][kind] = shown

    def _place(self, layer: Any) -> int:
        layers = self._viewer.layers
        return int(layers.index(layer)) if layer in layers else len(layers)
