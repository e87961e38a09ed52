"""An image on the disk that can be looked at while its planes come."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.destination import number_of_plane
from napari_deepblur.io.metadata import ImageMetadata
from napari_deepblur.io.partial_image import PartialImage, complete
from napari_deepblur.io.zarr_pyramid import ZarrPyramid

__all__ = ["PlanesOnDisk"]


class PlanesOnDisk:
    """OME-Zarr image that can be looked at, from another thread too, while its planes come.

    It reads only what is asked for, and is what napari takes for the data of a layer.

    Parameters
    ----------
    path
        Of the image, which is not there yet.
    shape
        Of the image, Y and X last.
    axes
        One letter of TCZYX per dimension.

    Attributes
    ----------
    path
        Of the image.
    dtype
        Data type of the pixels.
    finished
        Numbers of the planes that are there, the last leading axis running fastest; others are 0.

    Raises
    ------
    OSError
        If there is something at the path, or another program is writing there.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, path: Path, shape: tuple[int, ...], axes: str) -> None:
        if path.exists():
            raise FileExistsError(f"{path} exists: choose another name")
        self.path, self.finished = path, set[int]()
        # No other run goes on with this one.
        self._file = PartialImage(path, shape, axes, uuid4().hex)
        self._planes = self._file.planes
        self._closed = False
        self._lock = threading.Lock()

    @property
    def data(self) -> PlanesOnDisk:
        """The image itself."""
        return self

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the image."""
        return self._planes.shape

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of pixels."""
        return int(np.prod(self.shape))

    @property
    def n_planes(self) -> int:
        """Number of planes, finished or not."""
        return int(np.prod(self.shape[:-2], dtype=int))

    def __getitem__(self, index: Any) -> NDArray[np.float32]:
        return self._planes[index]

    def __setitem__(self, index: tuple[int | slice, ...], plane: NDArray[np.float32]) -> None:
        """Write a plane or rows of it, unless no more are wanted: see `GrowingImage`."""
        with self._lock:
            if self._closed:
                return
            self._planes[index] = plane
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

    def put_in_place(self, metadata: ImageMetadata, provenance: Mapping[str, Any]) -> None:
        """Make a file of what is there, or remove all traces where that is nothing.

        Parameters
        ----------
        metadata
            Pixel size, channels and so on.
        provenance
            How the image was made, as plain JSON values; where planes are missing, the numbers of
            those that are there are added as ``planes_done``.
        """
        self._closed = True
        with self._lock:
            if not self.finished:
                self._file.discard()
                return
            if len(self.finished) < self.n_planes:
                provenance = {**provenance, "planes_done": sorted(self.finished)}
            complete([self._file], metadata, provenance)
            self._planes = ZarrPyramid(self.path)
