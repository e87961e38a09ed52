"""What OME-XML says of an image's pixels and objective.

Source: the Open Microscopy Environment's schema 2016-06.
"""

from __future__ import annotations

from typing import Any

from napari_deepblur.io.units import length_um, positive

__all__ = ["read_ome_xml"]

Element = dict[str, Any]


def read_ome_xml(text: str) -> dict[str, Any]:
    """Fields of `ImageFile` that the first image of an OME-XML text states."""
    from tifffile import xml2dict

    root = _first(xml2dict(text).get("OME"))
    image = _first(root.get("Image"))
    pixels = _first(image.get("Pixels"))
    settings = _first(image.get("ObjectiveSettings"))
    objective = _objective(root, settings.get("ID"))
    across = _size(pixels, "X")
    down = _size(pixels, "Y") or across
    return {
        "pixel_size_um": across if _same(across, down) else None,
        "z_step_um": _size(pixels, "Z"),
        "numerical_aperture": positive(objective.get("LensNA")),
        "wavelengths_um": tuple(_wavelength(channel) for channel in _all(pixels.get("Channel"))),
        "refractive_index": positive(settings.get("RefractiveIndex")),
    }


def _size(pixels: Element, letter: str) -> float | None:
    unit = pixels.get(f"PhysicalSize{letter}Unit", "µm")
    return length_um(pixels.get(f"PhysicalSize{letter}"), unit)


def _same(across: float | None, down: float | None) -> bool:
    """Whether pixels are square; where they are not, no one number is their size."""
    return across is not None and down is not None and abs(across - down) < 0.01 * across


def _wavelength(channel: Element) -> float | None:
    unit = channel.get("EmissionWavelengthUnit", "nm")
    return length_um(channel.get("EmissionWavelength"), unit)


def _objective(root: Element, identifier: Any) -> Element:
    """The objective that the image refers to, or the only one there is."""
    known = [
        objective
        for instrument in _all(root.get("Instrument"))
        for objective in _all(instrument.get("Objective"))
    ]
    named = [objective for objective in known if objective.get("ID") == identifier]
    if named:
        return named[0]
    return known[0] if len(known) == 1 else {}


def _all(value: Any) -> list[Element]:
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, dict)]


def _first(value: Any) -> Element:
    return next(iter(_all(value)), {})
