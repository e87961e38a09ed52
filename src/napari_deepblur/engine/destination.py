"""Places of results that come plane by plane: memory, or a file that grows."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.axes import Planes

if TYPE_CHECKING:
    from napari_deepblur.engine.blur import BlurEstimate
    from napari_deepblur.engine.request import Request

__all__ = [
    "Destinations",
    "GrowingImage",
    "OnView",
    "PlanesInMemory",
    "WatchedPlanes",
    "destination",
    "number_of_plane",
]


class GrowingImage(Protocol):
    """Float32 image whose planes come one by one.

    Attributes
    ----------
    dtype
        Data type of the pixels.
    finished
        Numbers of the planes that are there, the last leading axis running fastest.
    """

    dtype: Any
    finished: set[int]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the image."""

    def __getitem__(self, index: Any) -> NDArray[np.float32]:
        """Read."""

    def __setitem__(self, index: tuple[int | slice, ...], plane: NDArray[np.float32]) -> None:
        """Write a plane, or rows of it.

        The index is that of the leading axes, and a slice of rows where not all are written; then
        `finish` says when all are.
        """

    def finish(self, number: int) -> None:
        """Count a plane, whose rows are all written, among those that are finished."""


class Destinations(Protocol):
    """Places of the results of a restoration, which come plane by plane."""

    @property
    def sharp(self) -> GrowingImage:
        """Deblurred image."""

    @property
    def residual(self) -> GrowingImage | None:
        """Residual, if it has a place of its own."""

    def tile_px(self, blur: BlurEstimate, request: Request) -> int | None:
        """Side of tiles; None for what fits in the memory that is free."""


class WatchedPlanes:
    """Image that can be looked at, from another thread too, while its planes come.

    Parameters
    ----------
    data
        Where planes are written: an array, or something on the disk that is indexed like one.

    Attributes
    ----------
    dtype
        Data type of the pixels.
    finished
        Numbers of the planes that are there, the last leading axis running fastest; others are 0.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, data: Any) -> None:
        self._data = data
        self.finished = set[int]()
        self._closed = False
        self._lock = threading.Lock()

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the image."""
        return tuple(self._data.shape)

    @property
    def n_planes(self) -> int:
        """Number of planes, finished or not."""
        return int(np.prod(self.shape[:-2], dtype=int))

    def __getitem__(self, index: Any) -> NDArray[np.float32]:
        part: NDArray[np.float32] = self._data[index]
        return part

    def __setitem__(self, index: tuple[int | slice, ...], plane: NDArray[np.float32]) -> None:
        """Write a plane or rows of it, unless no more are wanted: see `GrowingImage`."""
        with self._lock:
            if self._closed:
                return
            self._data[index] = plane
            number = number_of_plane(index, self.shape)
            if number is not None:
                self.finished.add(number)

    def finish(self, number: int) -> None:
        """Count a plane among those that are finished, unless no more are wanted."""
        with self._lock:
            if not self._closed:
                self.finished.add(number)

    def close(self) -> list[int]:
        """Take no more planes; return the numbers of those that are there."""
        # Without the lock: whoever asks does not wait for the disk.
        self._closed = True
        return sorted(self.finished)


class PlanesInMemory(WatchedPlanes):
    """Image in memory that can be looked at while its planes come.

    Parameters
    ----------
    shape
        Of the image, Y and X last.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(np.zeros(shape, np.float32))

    @property
    def data(self) -> NDArray[np.float32]:
        """The image, 0 in planes that are not there."""
        data: NDArray[np.float32] = self._data
        return data


class OnView:
    """Images that can be looked at while they come.

    Parameters
    ----------
    sharp
        Deblurred image.
    residual
        Residual; None for an array that comes when all is done, if it is wanted.
    """

    def __init__(self, sharp: GrowingImage, residual: GrowingImage | None = None) -> None:
        self.sharp, self.residual = sharp, residual

    def tile_px(self, blur: BlurEstimate, request: Request) -> None:
        """Leave the side of tiles to the memory that is free."""


def number_of_plane(index: tuple[int | slice, ...], shape: tuple[int, ...]) -> int | None:
    """Find the number of the plane of an image that an index is of; None if only of some rows."""
    position = tuple(int(place) for place in index if not isinstance(place, slice))
    if len(position) < len(index):
        return None
    return int(np.ravel_multi_index(position, shape[:-2])) if position else 0


def destination(planes: Planes, into: GrowingImage | None) -> tuple[Any, list[int]]:
    """Return an array for results of all planes, and the planes that it still lacks.

    Parameters
    ----------
    planes
        Image that is worked on.
    into
        Image that grows; by default an array that nobody looks at before it is complete.

    Returns
    -------
    results
        Float32, shape of the image; planes are assigned to `Planes.position`.
    missing
        Numbers of the planes to be computed.
    """
    if into is None:
        return np.empty(planes.shape, np.float32), list(range(len(planes)))
    return into, [index for index in range(len(planes)) if index not in into.finished]
