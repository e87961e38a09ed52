"""Arrays of work that stand in memory where they are small, and in temporary files otherwise."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["MOST_IN_MEMORY", "Scratch", "Stored", "scratch_folder"]

#: Bytes of work that may stand in memory, and share of the memory that is free.
MOST_IN_MEMORY, _SHARE_OF_FREE = 1_000_000_000, 0.5

_GIGA = 1e9


class Stored(Protocol):
    """Array of shape (Z, Y, X) of which some planes, or some rows of them, are read at a time."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(Z, Y, X)."""

    def __getitem__(self, part: tuple[slice, slice]) -> NDArray[Any]:
        """Read planes and rows; what comes may be the very memory of the array."""

    def __setitem__(self, part: tuple[slice, slice], values: NDArray[Any]) -> None:
        """Write planes and rows."""


@dataclass(slots=True)
class Scratch:
    """Room for arrays of work, which are gone when its context ends.

    Attributes
    ----------
    folder
        Of temporary files; None for memory.
    """

    folder: Path | None
    _files: list[BinaryIO] = field(default_factory=list)

    @classmethod
    def of(cls, n_bytes: int) -> Scratch:
        """Find room for so many bytes.

        Raises
        ------
        OSError
            If neither memory nor disk has it.
        """
        import psutil

        free = _SHARE_OF_FREE * psutil.virtual_memory().available
        return cls(None if n_bytes <= min(MOST_IN_MEMORY, free) else _with_room(n_bytes))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files:  # a file's name is gone already, or goes with it
            file.close()

    def array(self, shape: tuple[int, int, int], dtype: type[np.generic]) -> Stored:
        """Array of zeros."""
        if self.folder is None:
            return np.zeros(shape, dtype)
        file: Any = tempfile.TemporaryFile(dir=self.folder, buffering=0)  # noqa: SIM115 - see `__exit__`
        self._files.append(file)
        return _OnDisk(file, shape, np.dtype(dtype))


class _OnDisk:
    """Array in a file, read and written without a copy of it in this process's memory.

    A memory-mapped file would count as memory of the process, and the system would not take it back
    in time.
    """

    def __init__(self, file: BinaryIO, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.shape = shape
        self._file, self._dtype = file, dtype
        file.truncate(int(np.prod(shape)) * dtype.itemsize)

    def __getitem__(self, part: tuple[slice, slice]) -> NDArray[Any]:
        planes, rows = self._ranges(part)
        values = np.empty((len(planes), len(rows), self.shape[2]), self._dtype)
        for z, plane in zip(planes, values, strict=True):
            self._seek(z, rows.start)
            left = memoryview(plane).cast("B")
            while left:
                left = left[self._file.readinto(left) :]  # type: ignore[attr-defined]
        return values

    def __setitem__(self, part: tuple[slice, slice], values: NDArray[Any]) -> None:
        planes, rows = self._ranges(part)
        for z, plane in zip(planes, np.ascontiguousarray(values, self._dtype), strict=True):
            self._seek(z, rows.start)
            left = memoryview(plane).cast("B")
            while left:
                left = left[self._file.write(left) :]

    def _ranges(self, part: tuple[slice, slice]) -> tuple[range, range]:
        planes, rows = (range(*a.indices(n)) for a, n in zip(part, self.shape[:2], strict=True))
        return planes, rows

    def _seek(self, z: int, row: int) -> None:
        _, height, width = self.shape
        self._file.seek((z * height + row) * width * self._dtype.itemsize)


def scratch_folder() -> Path:
    """Find the folder of large temporary files: TMPDIR, or one that is on a disk."""
    on_disk = Path("/var/tmp")  # noqa: S108 - files there have no name; /tmp is often memory
    if "TMPDIR" not in os.environ and on_disk.is_dir() and os.access(on_disk, os.W_OK):
        return on_disk
    return Path(tempfile.gettempdir())


def _with_room(n_bytes: int) -> Path:
    folder = scratch_folder()
    free = shutil.disk_usage(folder).free
    if free < n_bytes:
        raise OSError(
            errno.ENOSPC,
            f"deblurring a volume of this size needs {n_bytes / _GIGA:.1f} GB for temporary files, "
            f"and {folder} has {free / _GIGA:.1f} GB free: make room, or set TMPDIR to a folder "
            "that has it",
        )
    return folder
