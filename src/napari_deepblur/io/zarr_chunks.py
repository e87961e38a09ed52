"""Checks that the chunks which a zarr array declares are there."""

from __future__ import annotations

import math
import os
import re
import struct
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_deepblur.errors import ImageError
from napari_deepblur.io.units import bytes_text

if TYPE_CHECKING:
    import zarr

__all__ = ["CheckedBlosc", "check_believable", "describe_missing", "is_blosc"]

#: Chunks pack zeros and constants well; what claims more declares pixels that are not there.
_PACKED_AT_MOST = 4096
_SMALL_BYTES = 1 << 26

#: Chunks that are counted; to count more would take seconds.
_MOST_COUNTED = 200_000

#: Head of what Blosc packs: versions, flags, sizes; the last is that of the whole.
_BLOSC_HEAD = struct.Struct("<4xIII")


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


def is_blosc(array: zarr.Array[Any]) -> bool:
    """Tell whether each chunk of an array is a file of Blosc's."""
    last = [getattr(array.metadata, "compressor", None), *getattr(array.metadata, "codecs", ())]
    codec: Any = last[-1]
    return str(getattr(codec, "codec_id", type(codec).__name__)).lower().startswith("blosc")


class CheckedBlosc:
    """Array of which no chunk is read that was cut short or made longer.

    Blosc itself does not look at the end of what it unpacks: whatever lies in memory behind it
    would become pixels.
    """

    def __init__(self, array: zarr.Array[Any], folder: Path) -> None:
        """Read nothing yet.

        Parameters
        ----------
        array
            Array, each of whose chunks is a file of Blosc's.
        folder
            Folder of the array.
        """
        self._array, self._folder = array, folder
        self.shape, self.dtype = array.shape, array.dtype

    def __getitem__(self, index: tuple[slice | int, ...]) -> Any:
        touched = [
            sorted({place // chunk for place in _places(part, n)})
            for part, n, chunk in zip(index, self.shape, self._array.chunks, strict=False)
        ]
        for chunk in product(*touched):
            self._check(self._folder / self._array.metadata.encode_chunk_key(chunk))
        return self._array[index]

    def _check(self, path: Path) -> None:
        if path.is_file():
            with path.open("rb") as file:
                head = file.read(_BLOSC_HEAD.size)
            if len(head) < _BLOSC_HEAD.size or _BLOSC_HEAD.unpack(head)[-1] != path.stat().st_size:
                raise ValueError(f"its chunk {path.name} was cut short or changed")


def _places(part: slice | int, n: int) -> Sequence[int]:
    return range(n)[part] if isinstance(part, slice) else [range(n)[part]]


def describe_missing(array: zarr.Array[Any], folder: Path) -> str:
    """Say how many of an array's planes, or else of its chunks, are missing; empty words if none.

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
    n_planes, n_chunks = math.prod(n_blocks[:n_lead]), math.prod(n_blocks)
    if n_chunks > _MOST_COUNTED:
        return ""
    chunks = list(_chunks(folder, array.ndim))
    n_held = len({chunk[:n_lead] for chunk in chunks})
    if len(chunks) >= n_chunks:
        return ""
    rest = f"what is missing, or was empty when it was written, is read as {array.fill_value}"
    if n_held < n_planes:
        planes = "planes" if all(size == 1 for size in sizes[:n_lead]) else "blocks of planes"
        return f"it declares {n_planes} {planes} and {n_held} can be read; {rest}"
    return f"it declares {n_chunks} chunks and {len(chunks)} are there; {rest}"


def _chunks(folder: Path, n_dimensions: int) -> Iterator[tuple[str, ...]]:
    """List the chunks in a folder by their indices."""
    root = folder / "c" if (folder / "c").is_dir() else folder
    for entry in os.scandir(root):
        name = entry.name.removeprefix("c.")
        if re.fullmatch(r"\d+(\.\d+)+", name):
            yield tuple(name.split("."))
        elif name.isdecimal():
            yield from _nested(entry, (name,), n_dimensions)


def _nested(
    entry: os.DirEntry[str], indices: tuple[str, ...], n_dimensions: int
) -> Iterator[tuple[str, ...]]:
    if len(indices) == n_dimensions:
        yield indices
    elif entry.is_dir():
        for inner in os.scandir(entry):
            if inner.name.isdecimal():
                yield from _nested(inner, (*indices, inner.name), n_dimensions)


def _holds(folder: Path, n_bytes: float) -> bool:
    """Tell whether the files of a folder have so many bytes, looking no further than needed."""
    found = 0
    for parent, _, names in os.walk(folder):
        if found >= n_bytes:
            break
        found += sum((Path(parent) / name).stat().st_size for name in names)
    return found >= n_bytes
