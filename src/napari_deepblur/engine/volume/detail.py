"""The part of a volume that tells most of its blur, by fine detail above the noise."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.events import Job, Progress
from napari_deepblur.engine.volume.stacks import Region, Stacks

__all__ = ["Detail", "find_detail_job", "largest_part"]

#: Largest part of a volume that is looked at, planes and voxels: more takes longer and tells little
#: more, but a nucleus that is cut in two misleads.
_MOST_PLANES, _MOST_VOXELS = 40, 830_000

#: Gaussians between which fine detail is looked for, pixels.
_FINE, _COARSE = 1.0, 2.5

#: A plane is saturated where this share of its pixels has the volume's highest value.
_SATURATED_ABOVE = 0.001


@dataclass(frozen=True, slots=True)
class Detail:
    """Fine detail of a volume.

    Attributes
    ----------
    region
        Part with the most detail, no larger than what an estimate looks at.
    by_plane
        Variance of the fine detail of each plane by the volume's largest, shape (Z,).
    saturated
        Share of pixels with the volume's highest value, in the plane that has most of them.
    highest
        That value.
    """

    region: Region
    by_plane: NDArray[np.float64]
    saturated: float
    highest: float

    @property
    def is_saturated(self) -> bool:
        """True if a plane has too many pixels of the highest value."""
        return self.saturated > _SATURATED_ABOVE

    @property
    def sharpest_plane(self) -> int:
        """Number of the plane with the most fine detail."""
        return int(self.by_plane.argmax())


def find_detail_job(stacks: Stacks, volume: int, total: int) -> Job[Detail]:
    """Look through the planes of a volume; yields before each."""
    maps = []
    by_plane, at_highest = [], []
    for z in range(stacks.n_planes):
        yield Progress(0, total, "looking for detail")
        plane = stacks.plane(volume, z)
        detail = _fine_detail(plane)
        by_plane.append(float(detail.mean(dtype=float)))
        at_highest.append((float(plane.max()), float((plane == plane.max()).mean())))
        # Of a flat plane only rounding is left, which is no detail.
        least = 1e-3 * float(np.abs(plane).max()) + 1e-30
        maps.append(_coarse(detail / np.maximum(plane - plane.min() + plane.std(), least)))
    profile = np.array(by_plane)
    highest = max(value for value, _ in at_highest)
    saturated = max(share for value, share in at_highest if value == highest)
    region = _richest(np.stack(maps), stacks.whole.shape)
    return Detail(region, profile / max(profile.max(), 1e-30), saturated, highest)


_STEP = 8


def _fine_detail(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Square of the difference between two Gaussian means."""
    from scipy.ndimage import gaussian_filter

    detail = gaussian_filter(plane, _FINE) - gaussian_filter(plane, _COARSE)
    return np.asarray(np.square(detail), np.float32)


def _coarse(detail: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means over squares of some pixels."""
    height, width = (side - side % _STEP for side in detail.shape)
    blocks = detail[:height, :width].reshape(height // _STEP, _STEP, width // _STEP, _STEP)
    return np.asarray(blocks.mean((1, 3)), np.float32)


def _richest(maps: NDArray[np.float32], shape: tuple[int, int, int]) -> Region:
    """Part whose middle holds the most detail.

    What is bright must not lie across a border, where a part of its light is missing, so detail
    counts by its distance from the border.
    """
    scales, largest = (1, _STEP, _STEP), largest_part(shape)
    profile: NDArray[np.float64] = maps.astype(float)
    slices = []
    for dim, (side, most, scale) in enumerate(zip(shape, largest, scales, strict=True)):
        length = min(side, most)
        others = tuple(other for other in range(3) if other != dim)
        window = np.hanning(max(length // scale, 1) + 2)[1:-1]
        score = np.convolve(profile.sum(others), window, mode="valid")
        first = min(int(score.argmax()) * scale, side - length)
        slices.append(slice(first, first + length))
        taken = slice(first // scale, max((first + length) // scale, first // scale + 1))
        profile = profile[tuple(taken if other == dim else slice(None) for other in range(3))]
    return Region(*slices)


def largest_part(shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """Shape of the largest part that is looked at, as square as the stack allows.

    Parameters
    ----------
    shape
        (Z, Y, X) of the stack.
    """
    planes = min(shape[0], _MOST_PLANES)
    area = _MOST_VOXELS // planes
    shorter = min(*shape[1:], math.isqrt(area))
    longer = min(max(shape[1:]), area // shorter)
    return (planes, longer, shorter) if shape[1] > shape[2] else (planes, shorter, longer)
