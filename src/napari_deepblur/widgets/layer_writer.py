"""Writer of napari: a layer as OME-TIFF, with its pixel size and how it was made."""

from __future__ import annotations

from typing import Any

from napari.layers import Image

from napari_deepblur.io import Channel, ImageMetadata, write_image
from napari_deepblur.widgets.layers.by_product import is_by_product
from napari_deepblur.widgets.layers.facts import axes_of, facts_of, pixel_size_of, pixels_of

__all__ = ["write_ome_tiff"]


def write_ome_tiff(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write an image layer as OME-TIFF; of a result it says how the result was made.

    Parameters
    ----------
    path
        File, which napari has asked about if it exists.
    data
        Pixels of the layer.
    meta
        Its attributes, as napari passes them to writers.

    Raises
    ------
    ValueError
        If the layer is a colour image, or its axes have no names in OME-TIFF.
    """
    layer = Image(data, **meta)
    if layer.rgb:
        raise ValueError(
            f"{layer.name!r} is a colour (RGB) image: split it into channels, or save it as .tif"
        )
    facts, axes = facts_of(layer), axes_of(layer)
    said = {name: known.value for name, known in facts.known.items()}
    channel = Channel(name=layer.name, wavelength_um=said.get("wavelength_um"))
    is_one_channel = "C" not in axes
    write_image(
        path,
        pixels_of(layer),
        axes,
        pixel_size_um=said.get("pixel_size_um") or pixel_size_of(layer),
        z_step_um=said.get("z_step_um"),
        metadata=ImageMetadata(
            channels=(channel,) if is_one_channel else (),
            numerical_aperture=said.get("numerical_aperture"),
            refractive_index=said.get("refractive_index"),
            name=layer.name,
        ),
        provenance=layer.metadata["deepblur"] if is_by_product(layer) else None,
        overwrite=True,
    )
    return [path]
