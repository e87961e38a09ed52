"""Read OME-XML: an image's pixels, place, time, channels and objective.

Source: the Open Microscopy Environment's schema 2016-06, and the older ones since 2008, in
which several of these fields have other names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from xml.etree import ElementTree as ET

import numpy as np

from napari_deepblur.errors import ImageError
from napari_deepblur.io.metadata import Channel, ImageMetadata, Position
from napari_deepblur.io.units import length_um, number, positive, time_s, unit_factor

__all__ = ["read_ome_xml"]

Element = ET.Element

#: Refractive indices of the immersion media that the schema names, near 0.52 µm.
_MEDIA = {"oil": 1.518, "water": 1.333, "waterdipping": 1.333, "air": 1.0, "glycerol": 1.47}
#: No light microscope images beyond these.
_WAVELENGTHS_UM = (0.1, 10.0)
_LARGEST_NA = 1.7


def read_ome_xml(text: str) -> list[ImageMetadata]:
    """Read the metadata of each image of an OME-XML text.

    Raises
    ------
    ImageError
        If the text is not OME-XML.
    """
    root = _parse(text)
    return [_image(root, image) for image in root.findall("Image")]


def _parse(text: str) -> Element:
    # Entities of a document's own are how small XML becomes enormous; OME-XML has none.
    if "<!ENTITY" in text:
        raise ImageError("the OME-XML defines entities of its own: it is not read")
    try:
        root = ET.fromstring(text)  # noqa: S314
    except ET.ParseError as error:
        raise ImageError(f"the OME-XML is damaged ({error})") from error
    for element in root.iter():
        element.tag = str(element.tag).rpartition("}")[2]
    return root


def _image(root: Element, image: Element) -> ImageMetadata:
    pixels = image.find("Pixels")
    pixels = Element("Pixels") if pixels is None else pixels
    sides = (_size(pixels, "Y"), _size(pixels, "X"))
    aperture, index = _objective(root, image)
    planes = pixels.findall("Plane")
    return ImageMetadata(
        pixel_sides_um=_both(*sides),
        z_step_um=_size(pixels, "Z") or _step_of_planes(planes, "TheZ", _place_um),
        time_step_s=_time_step(pixels) or _step_of_planes(planes, "TheT", _delta_s),
        position=_position(image, planes),
        channels=_channels(image, pixels),
        numerical_aperture=aperture,
        refractive_index=index,
        name=image.get("Name", "").strip(),
        acquired=_text(image, "AcquisitionDate", "AcquiredDate", "CreationDate"),
    )


def _size(pixels: Element, letter: str) -> float | None:
    unit = pixels.get(f"PhysicalSize{letter}Unit", "µm")
    return length_um(pixels.get(f"PhysicalSize{letter}"), unit)


def _both(down: float | None, across: float | None) -> tuple[float, float] | None:
    """Both sides of a pixel; a file that states only one means square pixels."""
    down, across = down or across, across or down
    return None if down is None or across is None else (down, across)


def _time_step(pixels: Element) -> float | None:
    return time_s(pixels.get("TimeIncrement"), pixels.get("TimeIncrementUnit", "s"))


def _place_um(plane: Element) -> float | None:
    factor = unit_factor(plane.get("PositionZUnit", "reference frame"), "micrometer")
    place = number(plane.get("PositionZ"))
    return None if place is None or factor is None else place * factor


def _delta_s(plane: Element) -> float | None:
    factor = unit_factor(plane.get("DeltaTUnit", "s"), "second")
    moment = number(plane.get("DeltaT"))
    return None if moment is None or factor is None else moment * factor


def _step_of_planes(
    planes: Sequence[Element], along: str, of: Callable[[Element], float | None]
) -> float | None:
    """Even step along Z or T that the planes' own positions or moments tell."""
    others = [key for key in ("TheZ", "TheC", "TheT") if key != along]
    row = [plane for plane in planes if all(plane.get(key, "0") == "0" for key in others)]
    places = [place for place in map(of, row) if place is not None]
    if len(places) < max(2, len(row)):
        return None
    steps = np.array([b - a for a, b in pairwise(places)])
    mean = float(steps.mean())
    if not np.allclose(steps, mean, rtol=0.1, atol=0):
        return None
    # Six digits: differences of positions show the rounding of binary numbers.
    return positive(float(f"{abs(mean):.6g}"))


def _position(image: Element, planes: Sequence[Element]) -> Position | None:
    """Place of the first plane; positions without a unit are in a frame of the microscope."""
    places, units = [], []
    label = image.find("StageLabel")
    for letter in "ZYX":
        key, source = f"Position{letter}", planes[0] if planes else None
        if (source is None or source.get(key) is None) and label is not None:
            key, source = letter, label
        place = number(source.get(key)) if source is not None else None
        unit = source.get(f"{key}Unit", "reference frame") if source is not None else ""
        places.append(place)
        if place is not None:
            units.append(unit)
    if not units:
        return None
    factors = [unit_factor(unit, "micrometer") for unit in units]
    factor = factors[0]
    if factor is None or len(set(factors)) > 1:
        return Position(z=places[0], y=places[1], x=places[2], unit="reference frame")
    z, y, x = (None if place is None else place * factor for place in places)
    return Position(z=z, y=y, x=x)


def _channels(image: Element, pixels: Element) -> tuple[Channel, ...]:
    """Channels, one for each sample of a colour pixel too; of older schemas the logical ones."""
    stated = pixels.findall("Channel") or image.findall("LogicalChannel")
    channels: list[Channel] = []
    for channel in stated:
        n = int(positive(channel.get("SamplesPerPixel")) or 1)
        channels += [_channel(channel)] * min(n, 4)
    return tuple(channels) if any(channel != Channel() for channel in channels) else ()


def _channel(channel: Element) -> Channel:
    return Channel(
        name=channel.get("Name") or channel.get("Fluor") or "",
        wavelength_um=_wavelength(channel, "EmissionWavelength", "EmWave"),
        excitation_um=_wavelength(channel, "ExcitationWavelength", "ExWave"),
        colour=_colour(channel.get("Color")),
    )


def _wavelength(channel: Element, *keys: str) -> float | None:
    for key in keys:
        length = length_um(channel.get(key), channel.get(f"{key}Unit", "nm"))
        if length is not None and _WAVELENGTHS_UM[0] <= length <= _WAVELENGTHS_UM[1]:
            return length
    return None


def _colour(value: str | None) -> tuple[int, int, int] | None:
    """Colour of a signed number of 32 bits: red, green, blue, opacity."""
    code = number(value)
    if code is None or abs(code) >= 2**32:
        return None
    red, green, blue, _ = (int(code) % 2**32).to_bytes(4, "big")
    return red, green, blue


def _objective(root: Element, image: Element) -> tuple[float | None, float | None]:
    """Numerical aperture and refractive index of the image's objective."""
    settings = image.find("ObjectiveSettings")
    if settings is None:
        settings = image.find("ObjectiveRef")
    settings = Element("ObjectiveSettings") if settings is None else settings
    objective = _objective_of(root, settings.get("ID"))
    aperture = positive(_stated(objective, "LensNA"))
    if aperture is not None and aperture > _LARGEST_NA:
        aperture = None
    index = positive(settings.get("RefractiveIndex"))
    medium = _stated(objective, "Immersion") or settings.get("Medium") or ""
    index = index or _MEDIA.get(medium.strip().lower())
    # An index below the aperture is a wrong entry of one of the two; the aperture is engraved.
    if index is not None and not max(aperture or 0, 1) <= index <= 2:
        index = None
    return aperture, index


def _objective_of(root: Element, identifier: str | None) -> Element:
    """Objective that the image refers to, or the only one there is."""
    known = root.findall("Instrument/Objective")
    named = [objective for objective in known if objective.get("ID") == identifier]
    if named:
        return named[0]
    return known[0] if len(known) == 1 else Element("Objective")


def _stated(element: Element, name: str) -> str | None:
    """Value of an attribute, or of a child of that name as in older schemas."""
    return element.get(name) or _text(element, name) or None


def _text(element: Element, *names: str) -> str:
    for name in names:
        child = element.find(name)
        if child is not None and child.text:
            return child.text.strip()
    return ""
