"""Pixels that stay in their file until they are asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.errors import ImageError, describe

__all__ = ["lazy_array"]

#: Least side of the parts in which a plane is read, pixels: of small chunks several at once.
_LEAST_SIDE = 1024


def lazy_array(stored: Any, letters: str, *, name: str, chunks: tuple[int, ...]) -> Any:
    """Make an array of which only the planes, and parts of planes, that are used are read.

    Indices, transpositions and the like are kept for later as well.

    Parameters
    ----------
    stored
        Array that is read where it is indexed by slices.
    letters
        Letter of each dimension; Y, X and S are those of a plane.
    name
        Name of the file, for messages.
    chunks
        Shape of the parts in which it is stored.

    Returns
    -------
        Dask array. Where the file turns out to be damaged, reading raises `ImageError`.
    """
    import dask.array as da

    sizes = tuple(
        min(n, chunk * -(-_LEAST_SIDE // chunk)) if letter in "YXS" else 1
        for letter, n, chunk in zip(letters, stored.shape, chunks, strict=True)
    )
    meta = np.empty((0,) * len(sizes), stored.dtype)
    return da.from_array(_Pixels(stored, name), sizes, name=False, asarray=False, meta=meta)


class _Pixels:
    """Array of a file, whose reader's errors become an `ImageError`."""

    def __init__(self, stored: Any, name: str) -> None:
        self._stored, self._name = stored, name
        self.shape, self.dtype, self.ndim = tuple(stored.shape), stored.dtype, len(stored.shape)

    def __getitem__(self, index: Any) -> NDArray[Any]:
        try:
            return np.asarray(self._stored[index])
        except (MemoryError, PermissionError):
            raise
        # Decoders raise anything at all where the pixels are damaged.
        except Exception as error:
            raise ImageError(
                f"the pixels of {self._name} cannot all be read; is it whole? ({describe(error)})"
            ) from error
