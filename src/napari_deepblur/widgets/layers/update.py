"""A layer that shows a new result in place of the former one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari.layers import Image

__all__ = ["bring_up_to_date"]

#: What a new result changes; how the layer looks besides is the user's.
_CHANGES = (
    "scale", "translate", "rotate", "shear", "affine", "units", "axis_labels", "contrast_limits",
    "metadata",
)  # fmt: skip


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
    low, high = arguments["contrast_limits"]
    layer.contrast_limits_range = (low, high)
    for name in _CHANGES:
        setattr(layer, name, arguments[name])
