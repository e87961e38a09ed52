"""Axes of an array, and its planes one by one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.errors import ImageError
from napari_deepblur.io.axes import AXES, default_axes

__all__ = ["SMALLEST_SIDE", "Planes"]

SMALLEST_SIDE = 64

#: Rows and columns of a plane.
Region = tuple[slice, slice]


@dataclass(frozen=True, slots=True)
class Planes:
    """An image of up to five dimensions as a sequence of checked planes (Y, X).

    The array may be lazy (memory-mapped, dask, zarr): planes are read one at a time.
    """

    data: Any
    axes: str

    @classmethod
    def of(cls, data: Any, axes: str | None = None) -> Planes:
        """Check an array's shape and axes.

        Parameters
        ----------
        data
            Array of 2 to 5 dimensions, of any real type.
        axes
            One letter of T C Z Y X per dimension, in that order; by default the last ones.

        Raises
        ------
        ImageError
            If the array is no image that can be deblurred; the message says why.
        """
        if not hasattr(data, "shape") or not hasattr(data, "dtype"):
            data = np.asarray(data)
        if np.dtype(data.dtype).kind not in "uif":
            raise ImageError(f"expected an image of real numbers, got data type {data.dtype}")
        axes = default_axes(data.ndim) if axes is None else axes.upper()
        _check_axes(axes, data.shape)
        if min(data.shape[-2:]) < SMALLEST_SIDE:
            raise ImageError(
                f"the image is {data.shape[-2]} × {data.shape[-1]} pixels: "
                f"at least {SMALLEST_SIDE} × {SMALLEST_SIDE} are needed to read a blur"
            )
        if 0 in data.shape:
            raise ImageError(f"the image has no planes: its shape is {tuple(data.shape)}")
        if "C" in axes and data.shape[axes.index("C")] > 1:
            raise ImageError(
                f"the image has {data.shape[axes.index('C')]} channels, each with its own "
                "wavelength: give one channel at a time"
            )
        return cls(data, axes)

    @property
    def lead_shape(self) -> tuple[int, ...]:
        """Shape without Y and X."""
        return tuple(int(n) for n in self.data.shape[:-2])

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the whole image."""
        return tuple(int(n) for n in self.data.shape)

    @property
    def plane_shape(self) -> tuple[int, int]:
        """(Y, X)."""
        return int(self.data.shape[-2]), int(self.data.shape[-1])

    def __len__(self) -> int:
        return int(np.prod(self.lead_shape, dtype=int))

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> NDArray[np.float32]:
        """Plane by its number, the last leading axis running fastest.

        Raises
        ------
        ImageError
            If the plane holds NaN or infinity, or is constant.
        """
        plane = self.finite(index)
        if plane.min() == plane.max():
            raise ImageError(f"all pixels are equal{self._where(index)}: there is no blur to read")
        return plane

    def unless_blank(self, index: int) -> NDArray[np.float32] | None:
        """Plane by its number; None if all its numbers are equal, or there are none.

        It may hold NaN or infinity besides: see `ValidPlane`.
        """
        plane = self.read(index)
        numbers = plane[np.isfinite(plane)]
        return None if numbers.size == 0 or numbers.min() == numbers.max() else plane

    def read(self, index: int, region: Region | None = None) -> NDArray[np.float32]:
        """Read a plane by its number as it is, whatever it holds, or a part of it.

        Parameters
        ----------
        index
            Number of the plane, the last leading axis running fastest.
        region
            Rows and columns; by default all. Of a lazy array no more is read.

        Returns
        -------
            Shape (Y, X) of the region; a copy.
        """
        part = (*self.position(index), *(region or ()))
        # A copy: torch takes neither flipped nor read-only memory, and the caller's stays his.
        return np.array(self.data[part], np.float32, order="C")

    def position(self, index: int) -> tuple[int, ...]:
        """Index of a plane along the leading axes, by its number."""
        position = np.unravel_index(index, self.lead_shape) if self.lead_shape else ()
        return tuple(int(p) for p in position)

    def finite(self, index: int) -> NDArray[np.float32]:
        """Plane by its number, which may be constant: a result, not an observation.

        Raises
        ------
        ImageError
            If the plane holds NaN or infinity.
        """
        plane = self.read(index)
        n_bad = int((~np.isfinite(plane)).sum())
        if n_bad:
            where = self._where(index)
            raise ImageError(
                f"{n_bad} pixels are NaN or infinite{where}: replace them before going on"
            )
        return plane

    def _where(self, index: int) -> str:
        return f" in plane {index}" if len(self) > 1 else ""


def _check_axes(axes: str, shape: tuple[int, ...]) -> None:
    if len(axes) != len(shape):
        if len(shape) == len(axes) + 1 and shape[-1] in (3, 4):
            raise ImageError(_RGB.format(shape=shape))
        raise ImageError(f"axes {axes!r} name {len(axes)} dimensions, the image has {len(shape)}")
    if shape[-1] in (3, 4) and len(shape) > 2:
        raise ImageError(_RGB.format(shape=shape))
    positions = [AXES.find(letter) for letter in axes]
    ordered = all(a < b for a, b in pairwise(positions))
    if -1 in positions or not ordered or not axes.endswith("YX"):
        raise ImageError(
            f"axes {axes!r} are not understood: use letters of TCZYX in that order, "
            "ending in YX, such as 'ZYX' or 'TYX'"
        )


_RGB = "the image looks like colour (RGB), shape {shape}: give one grey channel"
