"""Positions of the viewer's sliders in a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_deepblur.widgets.layers.facts import axes_of, data_position, pixels_of, unit_factor

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

__all__ = ["current_index", "go_to_index", "go_to_plane"]


def current_index(viewer: ViewerModel, layer: Image, axis: str) -> int:
    """Return the index along a layer's axis that the sliders stand at; 0 without such an axis."""
    axes = axes_of(layer)
    if axis not in axes:
        return 0
    place = axes.index(axis)
    position = data_position(viewer, layer, viewer.dims.point)[place]
    return int(np.clip(round(float(position)), 0, pixels_of(layer).shape[place] - 1))


def go_to_index(viewer: ViewerModel, layer: Image, axis: str, index: int) -> None:
    """Move the slider of one of the layer's axes, if it has it."""
    axes = axes_of(layer)
    if axis not in axes or current_index(viewer, layer, axis) == index:
        return
    place = axes.index(axis)
    here = data_position(viewer, layer, viewer.dims.point)
    here[place] = index
    world = layer.data_to_world(here)[place]
    units = viewer.dims.units
    if units is not None:
        world *= unit_factor(layer.units[place], units[place - layer.ndim])
    viewer.dims.set_point(viewer.dims.ndim - layer.ndim + place, world)


def go_to_plane(viewer: ViewerModel, layer: Image, plane: int) -> None:
    """Move the sliders to one of a layer's planes, the last leading axis running fastest."""
    lead = pixels_of(layer).shape[:-2]
    for axis, index in zip(axes_of(layer), np.unravel_index(plane, lead), strict=False):
        go_to_index(viewer, layer, axis, int(index))
