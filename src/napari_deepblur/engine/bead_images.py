"""Images of beads as acquisitions, one plane of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.calibration.settings import CalibrationSettings, PlaneChoice
from napari_deepblur.engine.axes import Planes
from napari_deepblur.engine.events import Job, Progress
from napari_deepblur.engine.hot_pixels import without_hot_pixels
from napari_deepblur.errors import ImageError

__all__ = ["READING", "BeadImages", "BeadPlane"]

#: Stage of the progress in which planes are read.
READING = "reading the images"


@dataclass(frozen=True, slots=True)
class _Acquisition:
    name: str
    planes: Planes
    first: int  # plane of the array that it begins with
    depth: int


@dataclass(frozen=True, slots=True)
class BeadPlane:
    """The image that is taken of an acquisition.

    Attributes
    ----------
    image
        Counts, shape (Y, X).
    plane
        Number of the plane in its stack, of a sum the first; 0 without a stack.
    taken
        What was taken of the stack, in words; empty without a stack.
    """

    image: NDArray[np.float32]
    plane: int
    taken: str


@dataclass(frozen=True, slots=True)
class BeadImages:
    """Acquisitions of one field, read one at a time.

    Attributes
    ----------
    acquisitions
        Arrays of the acquisitions.
    settings
        Settings that say what to take of stacks.
    """

    acquisitions: tuple[_Acquisition, ...]
    settings: CalibrationSettings

    @classmethod
    def of(
        cls,
        images: Any,
        settings: CalibrationSettings,
        *,
        axes: str | Sequence[str] | None = None,
        names: Sequence[str] | None = None,
    ) -> BeadImages:
        """Check images and how they are to be taken.

        Parameters
        ----------
        images
            One array or several, each YX, ZYX, TYX or TZYX; each time point is an acquisition.
        settings
            Settings that say what to take of stacks.
        axes
            Letters of the arrays' dimensions, for all or for each; by default the last of
            T C Z Y X.
        names
            Names of the arrays, for messages and the report.

        Raises
        ------
        ImageError
            If an image cannot be used, shapes differ, or it is unclear which plane to take.
        ValueError
            If names do not fit.
        """
        arrays = [images] if hasattr(images, "ndim") else list(images)
        if not arrays:
            raise ImageError("no image of beads was given")
        names = [f"image {n}" for n in range(1, len(arrays) + 1)] if names is None else names
        if len(names) != len(arrays):
            raise ValueError(f"expected {len(arrays)} names, one for each image, got {len(names)}")
        letters = [axes] * len(arrays) if axes is None or isinstance(axes, str) else list(axes)
        found: list[_Acquisition] = []
        for name, array, own in zip(names, arrays, letters, strict=True):
            found += _acquisitions(name, Planes.of(array, own))
        for one in found:
            if one.planes.plane_shape != found[0].planes.plane_shape:
                raise ImageError(
                    f"all images must show the same field: {found[0].name} is "
                    f"{_sides(found[0])} pixels, {one.name} is {_sides(one)}"
                )
            _check_choice(one, settings.plane, settings.z_range)
        return cls(tuple(found), settings)

    def __len__(self) -> int:
        return len(self.acquisitions)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the acquisitions."""
        return tuple(one.name for one in self.acquisitions)

    @property
    def shape(self) -> tuple[int, int]:
        """(Y, X)."""
        return self.acquisitions[0].planes.plane_shape

    @property
    def n_reads(self) -> int:
        """Number of planes that reading all acquisitions reads."""
        return sum(len(self._planes_of(one)) for one in self.acquisitions)

    def read_job(self, index: int) -> Job[BeadPlane]:
        """Read the image of an acquisition, each plane of its stack once at most."""
        one = self.acquisitions[index]
        numbers = self._planes_of(one)
        n_before = sum(len(self._planes_of(other)) for other in self.acquisitions[:index])
        is_sum = one.depth > 1 and self.settings.z_range is not None
        image, chosen, highest = None, numbers[0], -np.inf
        for done, number in enumerate(numbers):
            yield Progress(n_before + done, self.n_reads, READING)
            plane = without_hot_pixels(one.planes.read(one.first + number))
            if is_sum:
                image = plane if image is None else image + plane
                continue
            sharpness = _sharpness(plane) if len(numbers) > 1 else 0.0
            if sharpness > highest:
                image, chosen, highest = plane, number, sharpness
        assert image is not None
        if one.depth == 1:
            return BeadPlane(image, 0, "")
        if is_sum:
            return BeadPlane(image, chosen, f"sum of planes {chosen} to {numbers[-1]}")
        how = ", the sharpest" if self.settings.plane == "sharpest" else ""
        return BeadPlane(image, chosen, f"plane {chosen}{how}")

    def _planes_of(self, one: _Acquisition) -> range:
        """Numbers of the planes of a stack that must be read."""
        if one.depth == 1:
            return range(1)
        if self.settings.z_range is not None:
            return range(*self.settings.z_range)
        if isinstance(self.settings.plane, int):
            return range(self.settings.plane, self.settings.plane + 1)
        return range(one.depth)


def _acquisitions(name: str, planes: Planes) -> list[_Acquisition]:
    sizes = dict(zip(planes.axes, planes.shape, strict=True))
    n_times, depth = sizes.get("T", 1), sizes.get("Z", 1)
    names = [name] if n_times == 1 else [f"{name}, time {t}" for t in range(n_times)]
    return [_Acquisition(label, planes, t * depth, depth) for t, label in enumerate(names)]


def _sides(one: _Acquisition) -> str:
    return " × ".join(map(str, one.planes.plane_shape))


def _check_choice(
    one: _Acquisition, plane: PlaneChoice | None, z_range: tuple[int, int] | None
) -> None:
    if one.depth == 1:
        return
    last = one.depth - 1
    if plane is None and z_range is None:
        raise ImageError(
            f"{one.name} is a stack of {one.depth} planes: which plane? Choose the sharpest "
            f"(plane='sharpest', --plane sharpest), one of 0 … {last}, or a range to be summed "
            "(z_range, --z-range)"
        )
    if isinstance(plane, int) and not 0 <= plane <= last:
        raise ImageError(f"there is no plane {plane}: {one.name} has the planes 0 … {last}")
    if z_range is not None and not 0 <= z_range[0] < z_range[1] <= one.depth:
        raise ImageError(
            f"the range of planes {z_range[0]}:{z_range[1]} does not lie in 0:{one.depth}, the "
            f"planes of {one.name} (the end is not included)"
        )


def _sharpness(plane: NDArray[np.float32]) -> float:
    """Sum of squares: light keeps its sum through focus, and is most compact in it."""
    from scipy.ndimage import gaussian_filter

    finite = np.nan_to_num(plane, posinf=0.0, neginf=0.0)
    # Smoothed a little, so that noise has no say.
    smooth = gaussian_filter(finite, 1)
    return float(np.square(smooth - np.median(smooth), dtype=np.float64).sum())
