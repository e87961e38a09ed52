"""A preview as a napari layer at its place on the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_deepblur.widgets.deblur.layers import LayerData, sharp_arguments
from napari_deepblur.widgets.deblur.metadata import result_metadata
from napari_deepblur.widgets.deblur.preview.task import Preview
from napari_deepblur.widgets.layers.geometry import moved
from napari_deepblur.widgets.layers.names import result_name

if TYPE_CHECKING:
    from napari.layers import Image

__all__ = ["preview_layer"]


def preview_layer(layer: Image, preview: Preview) -> LayerData:
    """Make data and arguments of the layer of a preview: the contrast is that of a result."""
    region = {"origin": list(preview.origin), "shape": list(preview.sharp.shape)}
    arguments = sharp_arguments(layer, preview.bright) | moved(layer, preview.origin, zoom=1)
    metadata = result_metadata("preview", layer.name, preview.estimated, region=region)
    name = result_name("preview", layer.name)
    return preview.sharp, arguments | {"name": name, "metadata": metadata}
