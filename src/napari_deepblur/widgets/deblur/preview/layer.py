"""A preview as a napari layer at its place on the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_deepblur.widgets.deblur.layers import LayerData
from napari_deepblur.widgets.deblur.metadata import result_metadata
from napari_deepblur.widgets.deblur.preview.task import Preview
from napari_deepblur.widgets.layers.geometry import moved
from napari_deepblur.widgets.layers.names import result_name

if TYPE_CHECKING:
    from napari.layers import Image

__all__ = ["preview_layer"]


def preview_layer(layer: Image, preview: Preview) -> LayerData:
    """Make data and arguments of the layer of a preview.

    It has the contrast of the image around it, or the two could not be compared.
    """
    estimated, sharp = preview.estimated, preview.sharp
    region = {"origin": list(preview.origin), "shape": list(sharp.shape)}
    arguments = moved(layer, preview.origin, zoom=1) | {
        "name": result_name("preview", layer.name),
        "colormap": layer.colormap.name,
        "contrast_limits": tuple(layer.contrast_limits),
        "gamma": layer.gamma,
        "metadata": result_metadata("preview", layer.name, estimated, region=region),
    }
    return sharp, arguments
