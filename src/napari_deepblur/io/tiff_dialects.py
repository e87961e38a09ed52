"""Read metadata from TIFF tags, which each microscope program writes in its own way.

ImageJ, Micro-Manager, MetaMorph, Zeiss (LSM), Olympus (SIS), Aperio and plain resolution tags;
OME-XML has a module of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_deepblur.io.metadata import Channel, ImageMetadata, Position
from napari_deepblur.io.units import length_um, number, positive, time_s

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage

__all__ = ["read_tags"]

#: A printer's resolution tells nothing of a microscope: 72 dpi would be 353 µm.
_LARGEST_BELIEVABLE_UM = 20.0


def read_tags(tiff: TiffFile) -> ImageMetadata:
    """Read the metadata that a TIFF file's tags state of its images."""
    for dialect, reader in _DIALECTS.items():
        if getattr(tiff, f"is_{dialect}"):
            return reader(tiff)
    return _plain(tiff)


def _plain(tiff: TiffFile) -> ImageMetadata:
    return ImageMetadata(pixel_sides_um=_by_resolution_unit(tiff.pages.first))


def _imagej(tiff: TiffFile) -> ImageMetadata:
    known = tiff.imagej_metadata or {}
    page, unit = tiff.pages.first, known.get("unit")
    sides = _by_resolution(page, unit, known.get("yunit", unit)) if unit else None
    sides = sides or _by_resolution_unit(page)
    n_channels = int(positive(known.get("channels")) or 1)
    return ImageMetadata(
        pixel_sides_um=sides,
        z_step_um=length_um(_absolute(known.get("spacing")), known.get("zunit", unit)),
        time_step_s=time_s(known.get("finterval"), known.get("tunit", "s")),
        position=_imagej_position(known, sides),
        channels=_imagej_channels(known, n_channels),
    )


def _imagej_position(
    known: Mapping[str, Any], sides: tuple[float, float] | None
) -> Position | None:
    """ImageJ's origin is the pixel at which the coordinates are zero."""
    x, y = number(known.get("xorigin")), number(known.get("yorigin"))
    if sides is None or (x is None and y is None):
        return None
    return Position(y=-(y or 0) * sides[0], x=-(x or 0) * sides[1])


def _imagej_channels(known: Mapping[str, Any], n_channels: int) -> tuple[Channel, ...]:
    tables = np.reshape(known.get("LUTs", ()), (-1, 3, 256))
    return tuple(Channel(colour=_last_colour(table)) for table in tables[:n_channels])


def _last_colour(table: Any) -> tuple[int, int, int]:
    """Brightest colour of a lookup table of shape (3, 256)."""
    red, green, blue = (int(value) for value in table[:, -1])
    return red, green, blue


def _micromanager(tiff: TiffFile) -> ImageMetadata:
    summary = (tiff.micromanager_metadata or {}).get("Summary") or {}
    frame = tiff.pages.first.tags.valueof("MicroManagerMetadata") or {}
    size = positive(frame.get("PixelSizeUm")) or positive(summary.get("PixelSize_um"))
    names = summary.get("ChNames") or []
    places = [number(frame.get(f"{letter}PositionUm")) for letter in "ZYX"]
    return ImageMetadata(
        pixel_sides_um=None if size is None else (size, size),
        z_step_um=positive(_absolute(summary.get("z-step_um"))),
        time_step_s=time_s(summary.get("Interval_ms"), "ms"),
        position=None if places == [None] * 3 else Position(z=places[0], y=places[1], x=places[2]),
        channels=tuple(Channel(name=str(name)) for name in names),
    )


def _metaseries(tiff: TiffFile) -> ImageMetadata:
    plane = (tiff.metaseries_metadata or {}).get("PlaneInfo") or {}
    unit = plane.get("spatial-calibration-units")
    sides = [length_um(plane.get(f"spatial-calibration-{axis}"), unit) for axis in "yx"]
    calibrated = plane.get("spatial-calibration-state") in (None, True, "true", "on", 1)
    return ImageMetadata(
        pixel_sides_um=_both(sides) if calibrated else None,
        channels=_one_channel(str(plane.get("_IllumSetting_") or ""), plane.get("wavelength")),
        numerical_aperture=positive(plane.get("_MagNA_")),
        refractive_index=_index(plane.get("_MagRI_")),
        position=_stage(plane),
        acquired=str(plane.get("acquisition-time-local") or ""),
    )


def _stage(plane: Mapping[str, Any]) -> Position | None:
    y, x = number(plane.get("stage-position-y")), number(plane.get("stage-position-x"))
    z = number(plane.get("z-position"))
    return None if x is None or y is None else Position(z=z, y=y, x=x)


def _stk(tiff: TiffFile) -> ImageMetadata:
    known = tiff.stk_metadata or {}
    unit = known.get("CalibrationUnits")
    sides = [_ratio_um(known.get(f"{axis}Calibration"), unit) for axis in "YX"]
    steps = {_ratio_um(one, unit) for one in _sequence(known.get("ZDistance"))}
    return ImageMetadata(
        pixel_sides_um=_both(sides),
        z_step_um=steps.pop() if len(steps) == 1 else None,
        channels=_one_channel("", next(iter(_sequence(known.get("Wavelengths"))), None)),
    )


def _lsm(tiff: TiffFile) -> ImageMetadata:
    known = tiff.lsm_metadata or {}
    sides = [length_um(known.get(f"VoxelSize{axis}"), "m") for axis in "YX"]
    return ImageMetadata(
        pixel_sides_um=_both(sides),
        z_step_um=length_um(known.get("VoxelSizeZ"), "m"),
        time_step_s=time_s(known.get("TimeIntervall"), "s"),
        channels=_lsm_channels(known.get("ChannelColors") or {}),
    )


def _lsm_channels(known: Mapping[str, Any]) -> tuple[Channel, ...]:
    names, colours = known.get("ColorNames") or [], known.get("Colors") or []
    shown = [tuple(int(part) for part in colour[:3]) for colour in colours]
    return tuple(
        Channel(name=str(name), colour=(colour[0], colour[1], colour[2]))
        for name, colour in zip(names, shown, strict=False)
    )


def _sis(tiff: TiffFile) -> ImageMetadata:
    known = tiff.sis_metadata or {}
    sides = [length_um(known.get(f"pixelsize{axis}"), "m") for axis in "yx"]
    return ImageMetadata(
        pixel_sides_um=_both(sides), channels=_one_channel(str(known.get("cameraname") or ""), None)
    )


def _svs(tiff: TiffFile) -> ImageMetadata:
    fields = dict(
        part.split("=", 1) for part in tiff.pages.first.description.split("|") if "=" in part
    )
    size = positive({key.strip(): value for key, value in fields.items()}.get("MPP"))
    return ImageMetadata(pixel_sides_um=None if size is None else (size, size))


_DIALECTS: dict[str, Callable[[TiffFile], ImageMetadata]] = {
    "micromanager": _micromanager,
    "imagej": _imagej,
    "metaseries": _metaseries,
    "stk": _stk,
    "lsm": _lsm,
    "sis": _sis,
    "svs": _svs,
}


def _by_resolution_unit(page: TiffPage) -> tuple[float, float] | None:
    unit = {2: "inch", 3: "cm"}.get(page.tags.valueof("ResolutionUnit", 1))
    sides = _by_resolution(page, unit, unit)
    return sides if sides and max(sides) < _LARGEST_BELIEVABLE_UM else None


def _by_resolution(page: TiffPage, unit: object, unit_y: object) -> tuple[float, float] | None:
    """Sides of a pixel in µm, from the tags that count pixels per unit."""
    tags = (("YResolution", unit_y), ("XResolution", unit))
    return _both([_inverse_um(page.tags.valueof(tag), unit) for tag, unit in tags])


def _inverse_um(ratio: object, unit: object) -> float | None:
    n_pixels, n_units = ratio if isinstance(ratio, tuple) else (None, None)
    density, length = positive(n_pixels), positive(n_units)
    return None if density is None or length is None else length_um(length / density, unit)


def _ratio_um(value: object, unit: object) -> float | None:
    """Length that is stored as a number or as numerator and denominator."""
    if isinstance(value, Sequence) and len(value) == 2 and positive(value[1]):
        value = (number(value[0]) or 0) / float(value[1])
    return length_um(value, unit)


def _both(sides: Sequence[float | None]) -> tuple[float, float] | None:
    down, across = sides
    return None if down is None or across is None else (down, across)


def _one_channel(name: str, wavelength_nm: object) -> tuple[Channel, ...]:
    wavelength = length_um(wavelength_nm, "nm")
    wavelength = wavelength if wavelength and 0.1 <= wavelength <= 10 else None
    channel = Channel(name=name, wavelength_um=wavelength)
    return () if channel == Channel() else (channel,)


def _index(value: object) -> float | None:
    index = positive(value)
    return index if index is not None and 1 <= index <= 2 else None


def _absolute(value: object) -> float | None:
    found = number(value)
    return None if found is None else abs(found)


def _sequence(value: Any) -> Sequence[Any]:
    return [] if value is None or isinstance(value, str) else list(value)
