"""Read TIFF files: OME-TIFF, ImageJ's TIFF and those of microscopes' programs."""

from __future__ import annotations

import logging
import math
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_deepblur.errors import ImageError
from napari_deepblur.io.image_file import StoredImage
from napari_deepblur.io.lazy import lazy_array
from napari_deepblur.io.metadata import ImageMetadata
from napari_deepblur.io.ome_xml import read_ome_xml
from napari_deepblur.io.tiff_dialects import read_tags
from napari_deepblur.io.units import bytes_text, positive

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPageSeries

__all__ = ["tiff_images"]

#: No codec of TIFF packs an image better; what claims more declares pixels that are not there.
_PACKED_AT_MOST = 2000
_SMALL_BYTES = 1 << 26
#: A year of planes, ten a minute.
_MOST_PLANES = 5_000_000
#: Names that slide scanners give to pictures beside the image.
_ASIDE = ("thumbnail", "label", "macro", "overview", "preview")


@contextmanager
def tiff_images(path: Path) -> Iterator[list[StoredImage]]:
    """Open the images of a TIFF file.

    Warns (`UserWarning`) of a file that can be read, but not without complaint.
    """
    from tifffile import TiffFile

    with _complaints(path) as complaints, TiffFile(path) as tiff:
        _check_number_of_planes(path, tiff.pages.first.description)
        told = _metadata(tiff, complaints)
        images = [
            _stored(path, series, metadata, _n_declared(tiff, series))
            for series, metadata in zip(tiff.series, told, strict=True)
        ]
        if any(image.damage for image in images):
            # What the reader makes of it is the same in its own words.
            complaints.clear()
        yield [replace(image, is_thumbnail=_is_thumbnail(image, images)) for image in images]


def _check_number_of_planes(path: Path, xml: str) -> None:
    """Refuse OME-XML that declares planes without end, of which tifffile makes a list."""
    for tag in re.findall(r"<(?:\w+:)?Pixels\b[^>]*>", xml):
        n_planes = math.prod(int(size) for size in re.findall(r'\bSize[ZCT]="(\d{1,18})"', tag))
        if n_planes > _MOST_PLANES:
            raise ImageError(f"{path.name} is incomplete or damaged: it declares {n_planes} planes")


class _Recorder(logging.Handler):
    """Handler that keeps the messages that are logged."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@contextmanager
def _complaints(path: Path) -> Iterator[list[str]]:
    """Turn what the reader logs as an error into one warning.

    A file cut short may still be read, with planes missing: only the log tells.
    """
    logger = logging.getLogger("tifffile")
    handler = _Recorder(logging.ERROR)
    logger.addHandler(handler)
    propagates, logger.propagate = logger.propagate, False
    try:
        yield handler.messages
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagates
    if handler.messages:
        warnings.warn(
            f"{path.name} is incomplete or damaged ({handler.messages[0]}): "
            "check the number of planes that were read",
            UserWarning,
            stacklevel=2,
        )


def _metadata(tiff: TiffFile, complaints: list[str]) -> list[ImageMetadata]:
    """Read the metadata of each series, but not from damaged OME-XML."""
    n_series = len(tiff.series)
    common = read_tags(tiff)
    xml = tiff.pages.first.description
    if "<OME" not in xml[:2000] and "OME>" not in xml[-20:]:
        return [replace(common, name=_name(series)) for series in tiff.series]
    try:
        told = read_ome_xml(_companion(tiff, xml))
    except ImageError as error:
        complaints.insert(0, str(error))
        return [common] * n_series
    if len(told) == n_series:
        return told
    by_name = {one.name: one for one in reversed(told)}
    first = told[0] if told else common
    return [by_name.get(_name(series), first) for series in tiff.series]


def _companion(tiff: TiffFile, xml: str) -> str:
    """Return the OME-XML itself, or that of the companion file which it names."""
    found = re.search(r'<(?:\w+:)?BinaryOnly\b[^>]*\bMetadataFile="([^"]+)"', xml)
    if found is None:
        return xml
    # The name alone: a file may not point out of its folder.
    companion = Path(tiff.filehandle.dirname) / Path(found[1]).name
    if not companion.is_file():
        raise ImageError(f"its metadata are in {companion.name}, which is not beside it")
    return companion.read_text(encoding="utf-8")


def _name(series: TiffPageSeries) -> str:
    return str(series.name or "").strip()


def _stored(
    path: Path, series: TiffPageSeries, metadata: ImageMetadata, n_declared: int
) -> StoredImage:
    page = series.keyframe
    shape = tuple(int(n) for n in series.shape)
    damage = _damage(path, series, n_declared)
    return StoredImage(
        load=partial(_pixels, path, series, is_whole=not damage),
        # Of a spectral image each wavelength is a channel.
        axes=series.axes if "C" in series.axes else series.axes.replace("E", "C"),
        shape=shape,
        dtype=np.dtype(series.dtype),
        metadata=metadata,
        is_thumbnail=page.is_reduced or page.is_mask or _name(series).lower().startswith(_ASIDE),
        damage=damage,
    )


def _pixels(path: Path, series: TiffPageSeries, *, is_whole: bool) -> Any:
    """Map the pixels into memory where they lie in one piece; else read them when they are used.

    What is left of a damaged file is read at once.
    """
    page = series.keyframe
    if series.dataoffset is None or not page.is_memmappable:
        _believe(path, series)
        return _unpacked_later(path, series) if is_whole else series.asarray()
    dtype = np.dtype(page.parent.byteorder + np.dtype(series.dtype).char)
    held = (path.stat().st_size - series.dataoffset) // dtype.itemsize
    if held >= math.prod(series.shape):
        return np.memmap(path, dtype, "r", series.dataoffset, series.shape)
    _believe(path, series)
    data = np.zeros(math.prod(series.shape), dtype)
    data[:held] = np.fromfile(path, dtype, held, offset=series.dataoffset)
    return data.reshape(series.shape)


def _unpacked_later(path: Path, series: TiffPageSeries) -> Any:
    import zarr

    # Pages in strips are read whole, for there may be a strip for each row.
    by_page = None if series.keyframe.is_tiled else "page"
    # No file is kept open between reads: on some systems an open one could not be replaced.
    store = series.aszarr(level=0, chunkmode=by_page, _openfiles=0)
    array = zarr.open_array(store, mode="r")
    return lazy_array(array, series.axes, name=path.name, chunks=array.chunks)


def _believe(path: Path, series: TiffPageSeries) -> None:
    """Refuse a file that declares far more pixels than its bytes can hold."""
    stored = path.stat().st_size
    if series.nbytes > _PACKED_AT_MOST * stored + _SMALL_BYTES and not series.is_multifile:
        raise ImageError(
            f"{path.name} is incomplete or damaged: it declares {bytes_text(series.nbytes)} "
            f"of pixels, and holds {bytes_text(stored)}"
        )


def _n_declared(tiff: TiffFile, series: TiffPageSeries) -> int:
    """Count the planes that are declared; tifffile sees fewer in an ImageJ file cut short."""
    n_planes = max(math.prod(series.shape) // max(series.keyframe.size, 1), 1)
    told = tiff.imagej_metadata if tiff.is_imagej and series.kind != "imagej" else None
    return max(n_planes, int(positive((told or {}).get("images")) or 1))


def _damage(path: Path, series: TiffPageSeries, n_declared: int) -> str:
    """Say how many planes a series declares, and how many of them the file holds."""
    n_planes = max(math.prod(series.shape) // max(series.keyframe.size, 1), 1)
    n_held = n_planes - _n_missing(path, series, n_planes)
    if n_held == n_declared:
        return ""
    rest = "; what is missing is read as zeros" if n_planes == n_declared else ""
    planes = "plane" if n_declared == 1 else "planes"
    return f"it declares {n_declared} {planes} and {n_held} can be read{rest}"


def _n_missing(path: Path, series: TiffPageSeries, n_planes: int) -> int:
    size = path.stat().st_size
    first = series.keyframe
    if series.dataoffset is not None and len(series.pages) < n_planes:
        held = (size - series.dataoffset) // max(first.nbytes, 1)
        return max(n_planes - held, 0)
    return sum(page is None or not _is_whole(page, path, size) for page in series.pages)


def _is_whole(page: Any, path: Path, size: int) -> bool:
    if page.parent.filehandle.name != path.name:
        return True
    ends = [a + b for a, b in zip(page.dataoffsets, page.databytecounts, strict=False)]
    return bool(ends) and max(ends) <= size and page.dataoffsets[0] > 0


def _is_thumbnail(image: StoredImage, images: Sequence[StoredImage]) -> bool:
    """Tell whether an image is marked as a thumbnail, or is a single small copy of another."""
    return image.is_thumbnail or any(_is_copy(image, other) for other in images)


def _is_copy(small: StoredImage, large: StoredImage) -> bool:
    (h, w), (height, width) = small.plane, large.plane
    if not (0 < 2 * h <= height + 1 and 0 < 2 * w <= width + 1):
        return False
    single = math.prod(small.shape) <= 4 * h * w
    return single and abs(h * width - w * height) <= 2 * max(height, width)
