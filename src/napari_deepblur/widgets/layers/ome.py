"""Optics in OME-XML that a reader left in a layer's metadata."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from napari_deepblur.errors import ImageError
from napari_deepblur.io import ImageMetadata
from napari_deepblur.io.ome_xml import read_ome_xml
from napari_deepblur.widgets.layers.optics_fields import OPTICS_FIELDS

__all__ = ["ome_optics"]


def ome_optics(metadata: Mapping[str, Any]) -> dict[str, float]:
    """Return the fields of `Optics` that OME-XML among a layer's metadata states.

    The wavelength is among them only where all channels have the same one: which of several
    channels a layer shows is not known.
    """
    for text in metadata.values():
        if isinstance(text, str) and "<OME" in text[:2000]:
            return dict(_read(text))
    return {}


# The dock looks at its layer at each change of a setting or a slider.
@lru_cache(maxsize=8)
def _read(text: str) -> dict[str, float]:
    try:
        images = read_ome_xml(text)
    except ImageError:
        return {}
    first = images[0] if images else ImageMetadata()
    said = {name: getattr(first, name) for name in OPTICS_FIELDS}
    return {name: value for name, value in said.items() if value is not None}
