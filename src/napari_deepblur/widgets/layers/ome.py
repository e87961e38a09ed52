"""Optics in OME-XML that a reader left in a layer's metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.parsers.expat import ExpatError

from napari_deepblur.io.ome_xml import read_ome_xml

__all__ = ["ome_optics"]


def ome_optics(metadata: Mapping[str, Any]) -> dict[str, float]:
    """Fields of `Optics` that OME-XML among a layer's metadata states.

    The wavelength is among them only where all channels have the same one: which of several
    channels a layer shows is not known.
    """
    for text in metadata.values():
        if isinstance(text, str) and "<OME" in text[:2000]:
            return _read(text)
    return {}


def _read(text: str) -> dict[str, float]:
    try:
        said = read_ome_xml(text)
    except (ValueError, SyntaxError, ExpatError):
        return {}
    wavelengths = set(said.pop("wavelengths_um"))
    said["wavelength_um"] = wavelengths.pop() if len(wavelengths) == 1 else None
    names = ("numerical_aperture", "wavelength_um", "refractive_index", "pixel_size_um")
    return {name: said[name] for name in names if said[name] is not None}
