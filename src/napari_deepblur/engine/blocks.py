"""Blocks of an image: planes or a volume that are worked on together, and know of no others.

They are the same in every run, so that nothing depends on who works on which of them, or when.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.axes import Planes
from napari_deepblur.engine.blur import BlurEstimate
from napari_deepblur.engine.request import Source
from napari_deepblur.engine.volume.blur import VolumeBlurEstimate
from napari_deepblur.engine.volume.stacks import Stacks
from napari_deepblur.io.zarr_pyramid import ZarrPyramid

__all__ = ["Block", "BlockOfFile", "Blur", "blocks_of"]

#: Planes of a block at most, and bytes of their pixels in single precision.
_MOST_PLANES, _MOST_BYTES = 8, 1 << 26

Blur = BlurEstimate | VolumeBlurEstimate


@dataclass(frozen=True, slots=True)
class Block:
    """Some planes of an image, one after the other.

    Attributes
    ----------
    start, stop
        Number of the first plane, and of the first one behind them.
    volume
        Number of the volume that they are; None for planes that are worked on one by one.
    """

    start: int
    stop: int
    volume: int | None = None

    def __len__(self) -> int:
        return self.stop - self.start

    def __str__(self) -> str:
        if self.volume is not None:
            return f"volume {self.volume}"
        return f"planes {self.start}–{self.stop - 1}" if len(self) > 1 else f"plane {self.start}"

    def of_source(self, source: Source) -> Source:
        """Make an image of these planes, with the axes ZYX."""
        planes = Planes.of(source.data, source.axes)
        return replace(source, data=_PartOfImage(planes, self), axes="ZYX")

    def of_blur(self, blur: Blur) -> Blur:
        """Make a blur of these planes, or of this volume."""
        if isinstance(blur, VolumeBlurEstimate):
            rows = (
                slice(0, 1) if blur.n_volumes == 1 else slice(self.volume, (self.volume or 0) + 1)
            )
        else:
            blur = replace(blur, n_planes=len(self))
            rows = slice(0, 1) if blur.per == "stack" else slice(self.start, self.stop)
        return replace(
            blur,
            coefficients=blur.coefficients[rows],
            std=blur.std[rows],
            concerns=blur.concerns[rows],
        )


def blocks_of(source: Source, per: str) -> list[Block]:
    """Divide an image into its volumes, where the blur is ``per`` volume, or into planes."""
    planes = Planes.of(source.data, source.axes)
    if per == "volume":
        depth = Stacks(planes).n_planes
        return [
            Block(start, start + depth, volume)
            for volume, start in enumerate(range(0, len(planes), depth))
        ]
    fitting = _MOST_BYTES // (np.float32().nbytes * math.prod(planes.plane_shape))
    n = min(max(fitting, 1), _MOST_PLANES)
    return [Block(start, min(start + n, len(planes))) for start in range(0, len(planes), n)]


class _PartOfImage:
    """Planes of a block, read when they are used, shape (n, Y, X)."""

    def __init__(self, planes: Planes, block: Block) -> None:
        self._planes, self._block = planes, block
        self.shape, self.ndim = (len(block), *planes.plane_shape), 3
        self.dtype = planes.data.dtype

    def __getitem__(self, index: tuple[Any, ...]) -> Any:
        number, *region = index
        return self._planes.data[(*self._planes.position(self._block.start + number), *region)]


class BlockOfFile:
    """Planes of a block in a file that grows, shape (n, Y, X).

    Attributes
    ----------
    dtype
        Data type of the pixels.
    finished
        Empty: a block is worked on as a whole, or not at all.
    """

    def __init__(self, pyramid: ZarrPyramid, block: Block) -> None:
        self._pyramid, self._block = pyramid, block
        self.dtype = pyramid.dtype
        self.finished: set[int] = set()

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the block."""
        return (len(self._block), *self._pyramid.shape[-2:])

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return 3

    def __getitem__(self, index: Any) -> NDArray[Any]:
        number, *region = index
        return self._pyramid[(*self._position(number), *region)]

    def __setitem__(self, index: Any, plane: NDArray[Any]) -> None:
        number, *region = index
        self._pyramid[(*self._position(number), *region)] = plane

    def finish(self, number: int) -> None:
        """Do nothing: see `finished`."""

    def flush(self) -> None:
        """Wait until the planes are on the disk."""
        for number in range(len(self._block)):
            self._pyramid.flush(self._position(number))

    def _position(self, number: int) -> tuple[int, ...]:
        lead = self._pyramid.shape[:-2]
        place = np.unravel_index(self._block.start + number, lead) if lead else ()
        return tuple(int(p) for p in place)
