"""Checks that the chunks which a zarr array declares are there."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_deepblur.errors import ImageError
from napari_deepblur.io.units import bytes_text

if TYPE_CHECKING:
    import zarr

__all__ = ["check_believable", "describe_missing"]

#: Chunks pack zeros and constants well; what claims more declares pixels that are not there.
_PACKED_AT_MOST = 4096
_SMALL_BYTES = 1 << 26


def check_believable(array: zarr.Array[Any], folder: Path) -> None:
    """Refuse an array that declares far more pixels than the bytes of its chunks can hold.

    Parameters
    ----------
    array
        Array, of which only the declaration is read.
    folder
        Folder of the array.

    Raises
    ------
    ImageError
        If reading it would fill the memory with pixels that are not there.
    """
    declared = math.prod(array.shape) * array.dtype.itemsize
    if not _holds(folder, (declared - _SMALL_BYTES) / _PACKED_AT_MOST):
        raise ImageError(
            f"{folder} is incomplete or damaged: it declares {bytes_text(declared)} of "
            "pixels, and hardly any of its chunks are there"
        )


def describe_missing(array: zarr.Array[Any], folder: Path) -> str:
    """Say how many of an array's planes have no chunk at all; empty words if none.

    Parameters
    ----------
    array
        Array, of which only the declaration is read.
    folder
        Folder of the array.
    """
    sizes = array.shards or array.chunks
    n_blocks = [-(-n // size) for n, size in zip(array.shape, sizes, strict=True)]
    n_lead = max(array.ndim - 2, 0)
    expected = math.prod(n_blocks[:n_lead])
    n_held = len(set(_leading(folder, n_lead)))
    if n_held >= expected:
        return ""
    planes = "planes" if all(size == 1 for size in sizes[:n_lead]) else "blocks of planes"
    return (
        f"it declares {expected} {planes} and {n_held} can be read; what is missing, or was "
        f"empty when it was written, is read as {array.fill_value}"
    )


def _leading(folder: Path, n_lead: int) -> Iterator[tuple[str, ...]]:
    """List the chunks in a folder by their indices, without those along Y and X."""
    root = folder / "c" if (folder / "c").is_dir() else folder
    for entry in os.scandir(root):
        name = entry.name.removeprefix("c.")
        if re.fullmatch(r"\d+(\.\d+)+", name):
            yield tuple(name.split("."))[:n_lead]
        elif name.isdecimal():
            yield from _nested(entry.path, (name,), n_lead)


def _nested(path: str, indices: tuple[str, ...], n_lead: int) -> Iterator[tuple[str, ...]]:
    if len(indices) >= n_lead:
        yield indices[:n_lead]
        return
    for entry in os.scandir(path):
        yield from _nested(entry.path, (*indices, entry.name), n_lead)


def _holds(folder: Path, n_bytes: float) -> bool:
    """Tell whether the files of a folder have so many bytes, looking no further than needed."""
    found = 0
    for parent, _, names in os.walk(folder):
        if found >= n_bytes:
            break
        found += sum((Path(parent) / name).stat().st_size for name in names)
    return found >= n_bytes
