"""Arrays of an OME-Zarr image that grow plane by plane, coarser levels with the finest."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.atomic import flush_to_disk

__all__ = ["ZarrPyramid"]

#: Planes of larger sides than this get a coarser level.
_COARSEST = 256

#: Side of the chunks of a plane, pixels; above this number of chunks some share a file, a shard,
#: of a plane at most and of so many chunks along each side: of large planes, which are written a
#: row of chunks at a time, of one such row.
_CHUNK, _MOST_CHUNKS, _CHUNKS_IN_SHARD = 512, 2000, 16


class ZarrPyramid:
    """Levels of an image, written plane by plane; each has half the sides of the one before.

    What lies in the folder is no image yet: it lacks the description of the group.
    """

    def __init__(self, folder: Path) -> None:
        """Open the arrays that `create` made.

        Parameters
        ----------
        folder
            Folder of the image.
        """
        import zarr

        self._folder = folder
        self.levels: list[Any] = []
        # Empty planes are written, too: without chunks they would look like those of an
        # interrupted writer.
        with zarr.config.set({"array.write_empty_chunks": True}):
            while (folder / str(len(self.levels))).is_dir():
                path = folder / str(len(self.levels))
                self.levels.append(zarr.open_array(path, mode="r+"))
        finest = self.levels[0]
        self.shape: tuple[int, ...] = tuple(finest.shape)
        self.dtype, self.ndim = np.dtype(finest.dtype), finest.ndim

    @classmethod
    def create(cls, folder: Path, shape: tuple[int, ...], dtype: Any, axes: str) -> Self:
        """Create the arrays of an image.

        Parameters
        ----------
        folder
            Folder of the image.
        shape
            Shape of the finest level, Y and X last.
        dtype
            Data type of the pixels.
        axes
            One letter of T C Z Y X per dimension.
        """
        for level, sizes in enumerate(_shapes(tuple(shape))):
            _create(folder / str(level), sizes, np.dtype(dtype), axes)
        return cls(folder)

    def __getitem__(self, index: Any) -> NDArray[Any]:
        return np.asarray(self.levels[0][index])

    def __setitem__(self, index: tuple[int | slice, ...], plane: NDArray[Any]) -> None:
        """Write a plane to all levels, or rows of it.

        Parameters
        ----------
        index
            That of the leading axes, and a slice of rows where not all are written. It begins at a
            multiple of a chunk's, and what it leaves out below is written by itself.
        plane
            Shape (Y, X), or (rows, X).
        """
        *lead, last = index if index and isinstance(index[-1], slice) else (*index, slice(None))
        assert isinstance(last, slice)
        first = last.start or 0
        for level in self.levels:
            level[(*lead, slice(first, first + len(plane)))] = plane
            first, plane = first // 2, _halved(plane)

    def flush(self, index: tuple[int, ...]) -> None:
        """Wait until a plane is on the disk; the index is that of the leading axes."""
        for number in range(len(self.levels)):
            level = self._folder / str(number)
            flush_to_disk(level.joinpath("c", *map(str, index)), within=level)

    def extent(self) -> tuple[float, float]:
        """Lowest and highest number of the coarsest level, for the display; 0 if there is none."""
        coarsest, extremes = self.levels[-1], []
        for index in np.ndindex(self.shape[:-2]):
            plane = np.asarray(coarsest[index])
            numbers = plane[np.isfinite(plane)]
            extremes += [numbers.min(), numbers.max()] if numbers.size else []
        return (float(min(extremes)), float(max(extremes))) if extremes else (0.0, 0.0)


def _shapes(shape: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    *lead, height, width = shape
    yield shape
    while max(height, width) > _COARSEST and min(height, width) > 1:
        height, width = height // 2, width // 2
        yield (*lead, height, width)


def _halved(plane: NDArray[Any]) -> NDArray[Any]:
    """Mean of two by two pixels; an odd row or column at the end is left out."""
    height, width = (side // 2 for side in plane.shape)
    blocks = plane[: 2 * height, : 2 * width].reshape(height, 2, width, 2)
    mean = blocks.mean((1, 3), dtype=np.float64)
    whole = plane.dtype.kind in "iu"
    return np.asarray(np.rint(mean) if whole else mean, plane.dtype)


def _create(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any], axes: str) -> None:
    import zarr
    from zarr.codecs import BloscCodec

    lead = (1,) * (len(shape) - 2)
    sides = tuple(min(_CHUNK, side) for side in shape[-2:])
    n_along = [-(-side // chunk) for side, chunk in zip(shape[-2:], sides, strict=True)]
    shards = None
    if math.prod(shape[:-2]) * math.prod(n_along) > _MOST_CHUNKS and max(n_along) > 1:
        down = 1 if max(n_along) > _CHUNKS_IN_SHARD else n_along[0]
        counts = [down, min(n_along[1], _CHUNKS_IN_SHARD)]
        shards = (*lead, *(n * side for n, side in zip(counts, sides, strict=True)))
    zarr.create_array(
        path,
        shape=shape,
        dtype=dtype,
        chunks=(*lead, *sides),
        shards=shards,
        compressors=BloscCodec(cname="zstd", clevel=3, shuffle="shuffle"),
        dimension_names=[letter.lower() for letter in axes],
        zarr_format=3,
    )
