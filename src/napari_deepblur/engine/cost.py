"""Time and memory that estimating and deblurring take, by the size of the image.

The figures are those of two cores of a server (`benchmarks/volume_speed.py` for volumes); another
computer may be several times as fast or slow, so whoever has measured a run scales them.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

__all__ = ["Cost", "deblurring_cost", "estimating_cost"]

_MEGA = 1e6

#: Side of the largest tile, whose work stands in memory at once, pixels.
_TILE = 2048

#: Voxels of a stack that a 3-D estimate looks at, and bytes of its work.
_PART, _PART_BYTES = 830_000, 550_000_000

#: Bytes of the largest tile of a volume.
_TILE_3D_BYTES = 1_040_000_000


@dataclass(frozen=True, slots=True)
class Cost:
    """Time and memory that a piece of work takes.

    Attributes
    ----------
    seconds
        On two cores of a server.
    n_bytes
        Memory besides the image, the results, the programs and the networks.
    n_result_bytes
        Memory of the results.
    """

    seconds: float
    n_bytes: float
    n_result_bytes: float = 0.0


def estimating_cost(shape: tuple[int, ...], axes: str, *, in_3d: bool) -> Cost:
    """Cost of estimating the blur of an image.

    Parameters
    ----------
    shape
        Of the image.
    axes
        One letter of TCZYX per dimension.
    in_3d
        Whether each volume has a 3-D blur.
    """
    if in_3d:
        n_volumes, volume = _volumes(shape, axes)
        share = min(1.0, volume / _PART)
        seconds = n_volumes * (24 * share + 0.75 * volume / _MEGA)
        return Cost(seconds, share * _PART_BYTES)
    n_planes, plane = prod(shape[:-2]), prod(shape[-2:])
    return Cost(n_planes * (0.14 + 0.4 * plane / _MEGA), 90 * plane)


def deblurring_cost(
    shape: tuple[int, ...], axes: str, *, in_3d: bool, residual: bool = False
) -> Cost:
    """Cost of deblurring an image and checking the result, which stands in memory.

    Parameters
    ----------
    shape, axes, in_3d
        As for `estimating_cost`.
    residual
        Whether the residual is wanted too.
    """
    results = 4 * prod(shape) * (2 if residual else 1)
    if in_3d:
        n_volumes, volume = _volumes(shape, axes)
        seconds = n_volumes * (3 * min(1.0, volume / _PART) + 4.1 * volume / _MEGA)
        return Cost(seconds, 20 * volume + min(95 * volume, _TILE_3D_BYTES), results)
    n_planes, plane = prod(shape[:-2]), prod(shape[-2:])
    seconds = n_planes * (0.1 + 2.1 * plane / _MEGA)
    return Cost(seconds, 90 * plane + 50 * min(plane, _TILE**2), results)


def _volumes(shape: tuple[int, ...], axes: str) -> tuple[int, int]:
    """Count the volumes, and the voxels of one."""
    volume = prod(n for n, axis in zip(shape, axes, strict=True) if axis in "ZYX")
    return prod(shape) // volume, volume
