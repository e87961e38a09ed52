"""Time and memory that estimating and deblurring take, by the size of the image.

The figures are those of cores of a server (`benchmarks/volume_speed.py` for volumes); those of
another computer may be several times as fast or slow, so whoever has measured a run scales them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING

from napari_deepblur.engine.volume.scratch import MOST_IN_MEMORY
from napari_deepblur.engine.volume.stored_sample import bytes_of

if TYPE_CHECKING:
    from napari_deepblur.engine.volume.stack_optics import StackOptics

__all__ = ["Cost", "deblurring_cost", "estimating_cost"]

_MEGA = 1e6

#: Side of the largest tile, whose work stands in memory at once, pixels.
_TILE = 2048

#: Voxels of a stack that a 3-D estimate looks at, and bytes of its work.
_PART, _PART_BYTES = 830_000, 550_000_000

#: Seconds for each million voxels of the domain whose light reaches into a stack: of a small one
#: it is several times as large as the stack. Estimates take between 0.6 and 1.5 times as long, by
#: the number of their iterations: real stacks need more than drawn ones.
_ESTIMATING_3D, _DEBLURRING_3D = 20.0, 1.9

#: Share of the time that more threads do not shorten.
_SERIAL = 0.16

#: Bytes of the planes of a volume that are worked on at a time, and of the part that sets the stop.
_PIECES_BYTES = 200_000_000


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

    def seconds_on(self, n_threads: int) -> float:
        """Time on so many cores of a server."""
        return self.seconds * _share(n_threads) / _share(2)


def estimating_cost(shape: tuple[int, ...], axes: str, *, stack: StackOptics | None = None) -> Cost:
    """Cost of estimating the blur of an image.

    Parameters
    ----------
    shape
        Of the image.
    axes
        One letter of TCZYX per dimension.
    stack
        Optics of its volumes, where each has a 3-D blur.
    """
    if stack is None:
        n_planes, plane = prod(shape[:-2]), prod(shape[-2:])
        return Cost(n_planes * (0.14 + 0.4 * plane / _MEGA), 90 * plane)
    n_volumes, volume = _volumes(shape, axes)
    seconds = _ESTIMATING_3D * _looked_at(volume, stack) + 0.75 * prod(volume) / _MEGA
    return Cost(n_volumes * seconds, min(1.0, prod(volume) / _PART) * _PART_BYTES)


def deblurring_cost(
    shape: tuple[int, ...],
    axes: str,
    *,
    stack: StackOptics | None = None,
    residual: bool = False,
) -> Cost:
    """Cost of deblurring an image and checking the result, which stands in memory.

    Parameters
    ----------
    shape, axes, stack
        As for `estimating_cost`.
    residual
        Whether the residual is wanted too.
    """
    results = 4 * prod(shape) * (2 if residual else 1)
    if stack is None:
        n_planes, plane = prod(shape[:-2]), prod(shape[-2:])
        seconds = n_planes * (0.1 + 2.1 * plane / _MEGA)
        return Cost(seconds, 90 * plane + 50 * min(plane, _TILE**2), results)
    n_volumes, volume = _volumes(shape, axes)
    domain = stack.reach_of(volume)
    seconds = n_volumes * _DEBLURRING_3D * prod(domain) / _MEGA
    work = bytes_of(volume, domain)
    in_memory = work if work <= MOST_IN_MEMORY else 0
    return Cost(seconds, in_memory + _PIECES_BYTES, results)


def _share(n_threads: int) -> float:
    """Time on so many cores by that on one."""
    return _SERIAL + (1 - _SERIAL) / n_threads


def _looked_at(volume: tuple[int, int, int], stack: StackOptics) -> float:
    """Millions of voxels of the domain of the part of a volume that an estimate looks at."""
    from napari_deepblur.engine.volume.detail import largest_part
    from napari_deepblur.engine.volume.estimate import thinning

    depth, height, width = largest_part(volume)
    every = thinning(depth * height * width, stack)
    thinned = replace(stack, z_step_um=every * stack.z_step_um)
    return prod(thinned.reach_of((-(-depth // every), height, width))) / _MEGA


def _volumes(shape: tuple[int, ...], axes: str) -> tuple[int, tuple[int, int, int]]:
    """Count the volumes, and the planes, rows and columns of one."""
    sides = dict(zip(axes, shape, strict=True))
    volume = sides["Z"], sides["Y"], sides["X"]
    return prod(shape) // prod(volume), volume
