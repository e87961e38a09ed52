"""TIFF, ImageJ's TIFF and OME-TIFF."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_deepblur.io.image_file import ImageFile, arrange
from napari_deepblur.io.ome_xml import read_ome_xml
from napari_deepblur.io.units import length_um, positive

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage, TiffPageSeries

__all__ = ["read_tiff", "write_tiff"]

#: A printer's resolution tells nothing of a microscope: 72 dpi would be 353 µm.
_LARGEST_BELIEVABLE_UM = 20.0


def read_tiff(path: Path, axes: str | None) -> ImageFile:
    """Read the first series of a TIFF file.

    Warns (`UserWarning`) of a file that can be read, but not without complaint.
    """
    from tifffile import TiffFile

    with _complaints(path), TiffFile(path) as tiff:
        series = tiff.series[0]
        data, letters = arrange(_pixels(path, series), series.axes, axes)
        return ImageFile(data, letters, **_metadata(tiff))


class _Recorder(logging.Handler):
    """Keeps what is logged."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@contextmanager
def _complaints(path: Path) -> Iterator[None]:
    """Turn what the reader logs as an error into one warning.

    A file cut short may still be read, with planes missing: only the log tells.
    """
    logger = logging.getLogger("tifffile")
    handler = _Recorder(logging.ERROR)
    logger.addHandler(handler)
    propagates, logger.propagate = logger.propagate, False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagates
    if handler.messages:
        warnings.warn(
            f"{path.name} may be damaged ({handler.messages[0]}): "
            "check the number of planes that were read",
            UserWarning,
            stacklevel=2,
        )


def _pixels(path: Path, series: TiffPageSeries) -> Any:
    """Memory-mapped where the pixels lie in one piece."""
    from tifffile import memmap

    if series.dataoffset is not None and not series.keyframe.is_tiled:
        return memmap(path, mode="r")
    return series.asarray()


def _metadata(tiff: TiffFile) -> dict[str, Any]:
    if tiff.is_ome and tiff.ome_metadata is not None:
        return read_ome_xml(tiff.ome_metadata)
    page = tiff.series[0].keyframe.keyframe
    if tiff.is_imagej:
        known = tiff.imagej_metadata or {}
        unit = known.get("unit")
        return {
            "pixel_size_um": _pixel_size(page, unit),
            "z_step_um": length_um(known.get("spacing"), unit),
        }
    unit = {2: "inch", 3: "cm"}.get(page.tags.valueof("ResolutionUnit", 1))
    size = _pixel_size(page, unit)
    return {"pixel_size_um": size if size and size < _LARGEST_BELIEVABLE_UM else None}


def _pixel_size(page: TiffPage, unit: object) -> float | None:
    """Side of square pixels in µm, from the tags that count pixels per unit."""
    sides = []
    for tag in ("XResolution", "YResolution"):
        ratio = page.tags.valueof(tag)
        n_pixels, n_units = ratio if isinstance(ratio, tuple) else (None, None)
        density = positive(n_pixels)
        sides.append(length_um(n_units / density, unit) if density else None)
    across, down = sides
    if across is None or down is None or abs(across - down) > 0.01 * across:
        return None
    return across


def write_tiff(
    path: Path,
    data: Any,
    axes: str,
    *,
    pixel_size_um: float | None,
    z_step_um: float | None,
    metadata: Mapping[str, Any],
) -> None:
    """Write an OME-TIFF file, losslessly compressed."""
    from tifffile import imwrite

    sizes = {"X": pixel_size_um, "Y": pixel_size_um, "Z": z_step_um if "Z" in axes else None}
    fields: dict[str, Any] = {"axes": axes}
    for letter, size in sizes.items():
        if size is not None:
            fields[f"PhysicalSize{letter}"] = size
            fields[f"PhysicalSize{letter}Unit"] = "µm"
    if metadata:
        fields["Description"] = json.dumps(metadata)
    imwrite(path, data, ome=True, metadata=fields, compression="zlib", photometric="minisblack")
