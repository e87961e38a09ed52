"""The plane and the pixel of a layer that the user looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_deepblur.widgets.layers.facts import data_position, pixels_of

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

__all__ = ["current_pixel", "current_plane"]


def current_plane(viewer: ViewerModel, layer: Image) -> int:
    """Return the number of the layer's plane that the viewer's sliders stand at."""
    lead = pixels_of(layer).shape[:-2]
    if not lead:
        return 0
    position = np.round(data_position(viewer, layer, viewer.dims.point)[: len(lead)])
    inside = np.clip(position, 0, np.array(lead) - 1).astype(int)
    return int(np.ravel_multi_index(tuple(inside), lead))


def current_pixel(viewer: ViewerModel, layer: Image) -> tuple[int, int] | None:
    """Return the pixel (y, x) of the layer under the mouse; None if the mouse is elsewhere."""
    cursor = viewer.cursor.position
    if not viewer.mouse_over_canvas or viewer.dims.ndisplay != 2 or len(cursor) < layer.ndim:
        return None
    y, x = np.round(data_position(viewer, layer, cursor)[-2:]).astype(int).tolist()
    rows, columns = pixels_of(layer).shape[-2:]
    return (y, x) if 0 <= y < rows and 0 <= x < columns else None
