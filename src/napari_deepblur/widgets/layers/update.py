"""A layer that shows a new result in place of the former one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_deepblur.widgets.layers.geometry import place_at

if TYPE_CHECKING:
    from napari.layers import Image

__all__ = ["bring_up_to_date"]


def bring_up_to_date(layer: Image, data: Any, arguments: dict[str, Any]) -> None:
    """Give a layer other pixels, and place, contrast and metadata to go with them.

    Parameters
    ----------
    layer
        Layer that showed the former result.
    data
        New pixels.
    arguments
        Those of a new layer.
    """
    layer.data = data
    layer.contrast_limits_range = arguments["contrast_limits"]
    layer.contrast_limits = arguments["contrast_limits"]
    layer.metadata = arguments["metadata"]
    place_at(layer, arguments)
