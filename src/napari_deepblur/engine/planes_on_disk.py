"""An image on the disk that can be looked at while its planes come."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from napari_deepblur.engine.destination import WatchedPlanes
from napari_deepblur.io.metadata import ImageMetadata
from napari_deepblur.io.partial_image import PartialImage, complete
from napari_deepblur.io.zarr_pyramid import ZarrPyramid

__all__ = ["PlanesOnDisk"]


class PlanesOnDisk(WatchedPlanes):
    """OME-Zarr image that can be looked at while its planes come.

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

    Raises
    ------
    OSError
        If there is something at the path, or another program is writing there.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], axes: str) -> None:
        if path.exists():
            raise FileExistsError(f"{path} exists: choose another name")
        # No other run goes on with this one.
        self._file = PartialImage(path, shape, axes, uuid4().hex)
        super().__init__(self._file.planes)
        self.path = path

    @property
    def data(self) -> PlanesOnDisk:
        """The image itself."""
        return self

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of pixels."""
        return int(np.prod(self.shape))

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
            self._data = ZarrPyramid(self.path)
