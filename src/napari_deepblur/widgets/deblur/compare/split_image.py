"""Two images as one, with a border between them that moves."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["SplitImage"]

#: Width of the line at the border by that of the image, so that it is seen in small windows.
_LINE = 1 / 400


class SplitImage:
    """Array that shows one image left of a border and another one right of it.

    Nothing is composed before it is asked for, and then only the part that is: of a stack the
    plane that is looked at. It is what napari takes for the data of a layer.

    Parameters
    ----------
    left, right
        Images of the same shape, X last; they may be lazy. The part that was asked for last is
        kept, so that a border that moves reads nothing anew.
    line
        Intensity of the line that marks the border.

    Attributes
    ----------
    border
        Place of the border, 0 for the left and 1 for the right side of the image.
    left_levels
        Factor of the left image, and what is added to it then, so that it has a contrast of its
        own; None where both have the same.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, left: Any, right: Any, *, line: float) -> None:
        if tuple(left.shape) != tuple(right.shape):
            raise ValueError(f"images of shapes {left.shape} and {right.shape} are not the same")
        self._images = left, right
        self.border, self.line = 0.5, line
        self.left_levels: tuple[float, float] | None = None
        self._last: tuple[str, list[NDArray[Any]]] = "", []

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of both images."""
        return tuple(int(n) for n in self._images[0].shape)

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of pixels."""
        return int(np.prod(self.shape))

    def __getitem__(self, key: Any) -> NDArray[np.float32]:
        left, right = self._parts(key)
        if self.left_levels is not None:
            factor, added = map(np.float32, self.left_levels)
            left = factor * left + added
        width = self.shape[-1]
        column = round(self.border * width)
        # Which columns are asked for tells on which side of the border a pixel is.
        columns = np.arange(width)[self._along_x(key)]
        part = np.where(columns < column, left, right).astype(np.float32)
        if 0 < column < width:
            at_line = np.abs(columns - column) <= max(1, round(_LINE * width)) / 2
            part = np.where(at_line, np.float32(self.line), part)
        return part

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        whole = self[...]
        return whole if dtype is None else whole.astype(dtype)

    def _parts(self, key: Any) -> list[NDArray[Any]]:
        name = repr(key)
        if self._last[0] != name:
            self._last = name, [np.asarray(image[key]) for image in self._images]
        return self._last[1]

    def _along_x(self, key: Any) -> Any:
        keys = key if isinstance(key, tuple) else (key,)
        if Ellipsis in keys:
            return keys[-1] if keys[-1] is not Ellipsis else slice(None)
        return keys[-1] if len(keys) == self.ndim else slice(None)
