"""An image as a series of volumes that are read plane by plane, and only where they are needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.axes import Planes
from napari_deepblur.engine.hot_pixels import without_hot_pixels
from napari_deepblur.errors import ImageError

__all__ = ["FEWEST_PLANES", "Region", "Stacks"]

#: Fewer planes tell nothing of depth at all.
FEWEST_PLANES = 2


@dataclass(frozen=True, slots=True)
class Region:
    """Part of a volume: planes, rows and columns."""

    planes: slice
    rows: slice
    columns: slice

    @property
    def shape(self) -> tuple[int, int, int]:
        """(Z, Y, X)."""
        depth, height, width = (
            part.stop - part.start for part in (self.planes, self.rows, self.columns)
        )
        return depth, height, width


@dataclass(frozen=True, slots=True)
class Stacks:
    """Volumes (Z, Y, X) of an image, checked; the array may be lazy."""

    planes: Planes

    @classmethod
    def of(cls, data: Any, axes: str | None = None) -> Stacks:
        """Check an array's shape and axes.

        Raises
        ------
        ImageError
            If the array is no stack of volumes; the message says why.
        """
        planes = Planes.of(data, axes)
        if "Z" not in planes.axes:
            raise ImageError(
                f"axes {planes.axes!r} have no Z: a blur per volume needs a z-stack, axes 'ZYX' or "
                "'TZYX'"
            )
        stacks = cls(planes)
        if stacks.n_planes < FEWEST_PLANES:
            raise ImageError(
                f"the stack has {stacks.n_planes} plane: a 3-D blur needs a z-stack of 5 planes or "
                "more; for single planes use per='plane'"
            )
        return stacks

    @property
    def n_planes(self) -> int:
        """Number of planes of a volume."""
        return int(self.planes.shape[self.planes.axes.index("Z")])

    @property
    def n_volumes(self) -> int:
        """Number of volumes."""
        return len(self.planes) // self.n_planes

    @property
    def whole(self) -> Region:
        """All of a volume."""
        height, width = self.planes.plane_shape
        return Region(slice(0, self.n_planes), slice(0, height), slice(0, width))

    def plane(self, volume: int, z: int) -> NDArray[np.float32]:
        """Plane of a volume, hot pixels repaired, shape (Y, X); it may be constant.

        Raises
        ------
        ImageError
            If it holds NaN or infinity.
        """
        return without_hot_pixels(self.planes.finite(volume * self.n_planes + z))

    def read(self, volume: int, region: Region) -> NDArray[np.float32]:
        """Part of a volume, shape (Z, Y, X).

        Parameters
        ----------
        volume
            Number of the volume.
        region
            The part.

        Raises
        ------
        ImageError
            If it holds NaN or infinity.
        """
        part = np.empty(region.shape, np.float32)
        for index, z in enumerate(range(region.planes.start, region.planes.stop)):
            part[index] = self.plane(volume, z)[region.rows, region.columns]
        return part
