"""Metadata of a layer's file: napari's own reader passes on neither pixel size nor optics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from napari_deepblur.errors import ImageError
from napari_deepblur.io.axes import AXES
from napari_deepblur.io.metadata import ImageMetadata

if TYPE_CHECKING:
    from napari.layers import Image

__all__ = ["SourceFile", "file_of", "letters_for"]

#: Other formats have readers that pass on what their files state.
_SUFFIXES = (".tif", ".tiff")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """Metadata of the image in a file, and the sizes of its axes.

    Attributes
    ----------
    sizes
        Size of each axis by its letter, in the order as stored.
    metadata
        What the file states.
    """

    sizes: dict[str, int]
    metadata: ImageMetadata


def file_of(layer: Image) -> SourceFile | None:
    """Look at the head of the TIFF file that a layer was read from, unless it holds other planes.

    Parameters
    ----------
    layer
        Layer; one that a reader made from a file knows its path.
    """
    path = layer.source.path
    if path is None or Path(path).suffix.lower() not in _SUFFIXES:
        return None
    try:
        changed_at = Path(path).stat().st_mtime_ns
    except OSError:
        return None
    file = _read(str(path), changed_at)
    data = layer.data[0] if layer.multiscale else layer.data
    if file is None or (file.sizes["Y"], file.sizes["X"]) != tuple(data.shape[-2:]):
        return None
    return file


@lru_cache(maxsize=64)
def _read(path: str, _changed_at: int) -> SourceFile | None:
    from napari_deepblur.io.read import list_images

    try:
        images = list_images(path)
    except (ImageError, OSError, ValueError):
        return None
    if len(images) != 1:
        return None
    image = images[0]
    sizes = dict(zip(image.axes, image.shape, strict=True))
    return SourceFile(sizes, image.metadata) if {"Y", "X"} <= set(sizes) else None


def letters_for(shape: Sequence[int], file: SourceFile | None) -> str:
    """Name the axes of an array by the sizes that its file states; empty where that is not clear.

    Parameters
    ----------
    shape
        Shape of the array.
    file
        What its file states.
    """
    if file is None:
        return ""
    sizes = {axis: n for axis, n in file.sizes.items() if n > 1 and axis not in "YX"}
    lead = [int(n) for n in shape[:-2]]
    if not set(sizes) <= set(AXES):
        return ""
    if list(sizes.values()) == lead:  # the order as stored
        return "".join(sizes) + "YX"
    if sorted(lead) != sorted(sizes.values()) or len(set(lead)) != len(lead):
        return ""
    by_size = {n: axis for axis, n in sizes.items()}
    return "".join(by_size[n] for n in lead) + "YX"
