"""A layer of several channels, split into one layer for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_deepblur.widgets.layers.facts import axes_of

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

__all__ = ["split_channels"]


def split_channels(viewer: ViewerModel, layer: Image) -> list[Image]:
    """Put the channels of a layer into layers of their own, in place of it.

    Parameters
    ----------
    viewer
        napari viewer with the layer.
    layer
        Layer with an axis C.

    Returns
    -------
        The channels' layers.
    """
    from napari.layers.utils.stack_utils import stack_to_images

    axes = axes_of(layer)
    place = axes.index("C")
    # napari keeps none of these for the channels.
    kept = [axis for axis in range(layer.ndim) if axis != place]
    labels = tuple(axes[axis].lower() for axis in kept)
    units = tuple(layer.units[axis] for axis in kept)
    channels: list[Image] = list(stack_to_images(layer, place))
    index = viewer.layers.index(layer)
    for number, channel in enumerate(channels):
        channel.name = f"{layer.name} channel {number}"
        channel.axis_labels, channel.units = labels, units
        channel.metadata = dict(layer.metadata)
    viewer.layers.remove(layer)
    for channel in reversed(channels):
        viewer.layers.insert(index, channel)
    return channels
