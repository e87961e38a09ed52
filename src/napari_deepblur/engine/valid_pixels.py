"""Tell the pixels of a plane that hold data from those that do not.

Deskewing, rotation, fusion, registration and masks leave areas of one exact value, or NaN; cameras
have dead lines and blocks. What they hold is no light: read as if it were, it spoils the blur and
the deblurred image around it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.hot_pixels import without_hot_pixels
from napari_deepblur.engine.smoothing import highest_nearby, transposed
from napari_deepblur.errors import ImageError

__all__ = [
    "ValidPlane",
    "areas_of_values",
    "empty_areas",
    "faulty_lines",
    "lines_that_stand_out",
]

Mask = NDArray[np.bool_]

#: Pixels of one value side by side from which they may be an area without data, and a fault of the
#: camera; most areas of one value in an image whose small ones are faults: in compressed images,
#: and in those of large square pixels, there are many.
_LEAST_AREA, _LEAST_FAULT, _MOST_AREAS = 256, 16, 30

#: Distances of the two rings that an area is compared with, pixels: programs that turn an image
#: blend a pixel or two at its edge.
_NEAR, _FAR = 2, 6

#: Jump from an area to the near ring by that to the far one. Where the light fades into clipped
#: shadows it is about a half, at the edge of a mask about 1.
_LEAP = 0.6

#: Least jump by the smallest difference between grey values and by the range of the picture, and
#: largest share of the rings with the very value of the area: clipped noise has it again and again.
_STEPS, _RANGE, _SAME = 4.0, 1e-3, 0.05

#: Least share of pixels with data of a part from which something is read.
_LEAST_PICTURE = 0.1

#: How far a line stands out of its two neighbours, by the usual scatter of lines, and the share of
#: its pixels that do so alike.
_LINE, _ALIKE = 12.0, 0.9


@dataclass(frozen=True, slots=True)
class ValidPlane:
    """A plane whose pixels without data are known and filled, and whose hot pixels are repaired.

    Attributes
    ----------
    image
        Float32, shape (Y, X), finite. Pixels without data have the value of the nearest that
        holds some.
    valid
        True where there is data, shape (Y, X); None where there is everywhere.
    empty
        True in areas without data (not: faults of the camera), or None if there are none.
    stored
        The plane as it was, where there are such areas.
    """

    image: NDArray[np.float32]
    valid: Mask | None = None
    empty: Mask | None = None
    stored: NDArray[np.float32] | None = None

    @classmethod
    def of(cls, plane: NDArray[np.float32]) -> ValidPlane:
        """Look at a plane, shape (Y, X); NaN and infinity mark pixels without data.

        Raises
        ------
        ImageError
            If no pixel holds data.
        """
        empty, faults = empty_areas(plane)
        faults |= faulty_lines(plane, empty)
        if (empty | faults).all():
            raise ImageError("no pixel holds data: all are NaN or of one value")
        return cls.knowing(plane, empty, faults)

    @classmethod
    def knowing(
        cls,
        plane: NDArray[np.float32],
        empty: Mask,
        faults: Mask,
        usual_spread: float | None = None,
    ) -> ValidPlane:
        """Fill and repair a plane whose pixels without data are known, and not all of them.

        Parameters
        ----------
        plane
            Shape (Y, X).
        empty, faults
            Pixels in areas without data, and faults of the camera, same shape.
        usual_spread
            As for `without_hot_pixels`.
        """
        invalid = empty | faults
        if not invalid.any():
            return cls(without_hot_pixels(plane, usual_spread))
        filled = without_hot_pixels(_filled(plane, invalid), usual_spread)
        if not empty.any():
            return cls(filled, ~invalid)
        return cls(filled, ~invalid, empty, plane)

    @property
    def shape(self) -> tuple[int, int]:
        """(Y, X)."""
        height, width = self.image.shape
        return height, width

    @property
    def is_whole(self) -> bool:
        """True if there is data everywhere."""
        return self.valid is None

    @property
    def has_picture(self) -> bool:
        """True if there are data in a fair part of it, and they are not all equal."""
        with_data = self.image if self.valid is None else self.image[self.valid]
        enough = with_data.size > _LEAST_PICTURE * self.image.size
        return bool(enough and with_data.min() < with_data.max())

    def part(self, window: tuple[slice, slice]) -> ValidPlane:
        """Part of the plane."""
        return ValidPlane(
            np.ascontiguousarray(self.image[window]),
            None if self.valid is None else self.valid[window],
            None if self.empty is None else self.empty[window],
            None if self.stored is None else self.stored[window],
        )

    def with_empty_areas(self, other: NDArray[np.float32]) -> NDArray[np.float32]:
        """Put what was stored in areas without data into another plane of this shape."""
        if self.empty is None or self.stored is None:
            return other
        return np.where(self.empty, self.stored, other)

    @property
    def empty_share(self) -> float:
        """Share of the pixels that hold no data."""
        return 0.0 if self.empty is None else float(self.empty.mean())

    def fill(self, other: NDArray[np.float32]) -> NDArray[np.float32]:
        """Another plane of this shape, its pixels without data filled like this one's."""
        return other if self.valid is None else _filled(other, ~self.valid)

    def on_grid(self, shape: tuple[int, int]) -> Mask | None:
        """Mark valid pixels on another grid over the same field."""
        if self.valid is None:
            return None
        rows, columns = (
            ((np.arange(new) + 0.5) * old / new).astype(int)
            for new, old in zip(shape, self.valid.shape, strict=True)
        )
        return np.asarray(self.valid[np.ix_(rows, columns)])


def empty_areas(plane: NDArray[np.float32]) -> tuple[Mask, Mask]:
    """Find areas of one exact value that are no part of the picture.

    An area counts where its value leaps from the picture around it. A dark ground and clipped
    shadows do not: the light fades into them. The highest value of a plane is saturation, never
    an area without data.

    Parameters
    ----------
    plane
        Shape (Y, X); pixels that are not finite hold no data either.

    Returns
    -------
        Two masks of shape (Y, X): areas without data, and small blocks, faults of a camera.
    """
    from scipy import ndimage

    empty = ~np.isfinite(plane)
    faults = np.zeros_like(empty)
    picture = np.where(empty, np.inf, plane)
    core = highest_nearby(picture, 1) == -highest_nearby(-picture, 1)
    core &= ~empty
    if not core.any():
        return empty, faults
    areas, n_areas = ndimage.label(core)
    # What touches the inside of an area and has its value is its rim.
    grown = ndimage.grey_dilation(areas, size=3)
    value = np.append(0, ndimage.maximum(plane, areas, np.arange(1, n_areas + 1)))
    areas = np.where(plane == value[grown].astype(np.float32), grown, 0)
    size = np.bincount(areas.ravel(), minlength=n_areas + 1)
    size[0] = 0
    some = size >= _LEAST_FAULT
    apart = some & (value < plane[~empty].max())
    apart &= _leap(np.where(empty, np.nan, plane), np.where(apart[areas], areas, 0), value)
    enough = size >= min(_LEAST_AREA, plane.size // 50)
    # Areas that one program filled have one value, also where the picture beside them is even.
    large = enough & np.isin(value, value[apart & enough])
    if some.sum() <= _MOST_AREAS:
        faults = (apart & ~large)[areas]
    return empty | large[areas], faults


def areas_of_values(plane: NDArray[np.float32], values: NDArray[np.float32]) -> Mask:
    """Find the areas of a part of a plane that hold no data, by the values of such areas.

    Parameters
    ----------
    plane
        Shape (Y, X); pixels that are not finite hold no data either.
    values
        Values that areas without data have elsewhere in the plane.
    """
    from scipy import ndimage

    empty = ~np.isfinite(plane)
    for value in values:
        areas, n_areas = ndimage.label(plane == value)
        size = np.bincount(areas.ravel(), minlength=n_areas + 1)
        size[0] = 0
        empty |= (size >= _LEAST_AREA)[areas]
    return empty


def _leap(
    picture: NDArray[np.float32], areas: NDArray[np.integer], value: NDArray[np.float64]
) -> Mask:
    """Tell whether the value of each area leaps from the picture around it."""
    from scipy import ndimage

    leap = np.zeros(len(value), bool)
    if not areas.any():
        return leap
    distance, (row, column) = ndimage.distance_transform_edt(areas == 0, return_indices=True)
    nearest, jump = areas[row, column], np.abs(picture - value[areas[row, column]])
    rings = [(np.abs(distance - radius) <= 0.5) & np.isfinite(picture) for radius in (_NEAR, _FAR)]
    numbers = np.intersect1d(nearest[rings[0]], nearest[rings[1]])
    if len(numbers) == 0:
        return leap
    near, far = (ndimage.median(jump[ring], nearest[ring], numbers) for ring in rings)
    both = rings[0] | rings[1]
    same = ndimage.mean(jump[both] == 0, nearest[both], numbers)
    step = np.diff(np.unique(picture[both])).min(initial=np.inf)
    least = max(_STEPS * step, _RANGE * float(np.nanmax(picture) - np.nanmin(picture)))
    leap[numbers] = (near > _LEAP * far) & (far > least) & (same < _SAME)
    return leap


def faulty_lines(plane: NDArray[np.float32], empty: Mask | None = None) -> Mask:
    """Find rows and columns of the camera that are dead, bright or dim as a whole.

    Light spreads over some lines; a fault is in one alone, and both its neighbours are as usual.

    Parameters
    ----------
    plane
        Shape (Y, X).
    empty
        Pixels that hold no data anyway, same shape.
    """
    picture = plane if empty is None else np.where(empty, np.nan, plane)
    found = np.zeros(plane.shape, bool)
    found[lines_that_stand_out(picture)] = True
    found[:, lines_that_stand_out(transposed(picture))] = True
    return found


def lines_that_stand_out(picture: NDArray[np.float32]) -> NDArray[np.intp]:
    """Find the numbers of the faulty rows of an image (Y, X) with NaN where there is no data."""
    whole = np.isfinite(picture).mean(1) > 0.5
    inner = np.zeros(len(picture), bool)
    inner[1:-1] = whole[1:-1] & whole[:-2] & whole[2:]
    numbers = np.nonzero(inner)[0]
    if len(numbers) < 16:
        return numbers[:0]
    out = picture[numbers] - (picture[numbers - 1] + picture[numbers + 1]) / 2
    # Without NaN there is a far quicker way to the median.
    gaps = np.isnan(out).any()
    middle = np.zeros(len(picture))
    middle[numbers] = np.nanmedian(out, 1) if gaps else np.median(out, 1)
    usual = 1.4826 * float(np.median(np.abs(middle[numbers])))
    height = middle[numbers]
    sides = np.stack([middle[numbers - 1], middle[numbers + 1]]) / np.where(height == 0, 1, height)
    alone = ((sides < -0.35) & (sides > -0.65)).all(0)
    standing = (np.abs(height) > _LINE * usual) & (usual > 0) & alone
    alike = np.nanmean(np.sign(out[standing]) == np.sign(height[standing, None]), 1)
    return np.asarray(numbers[standing][alike > _ALIKE])


def _filled(plane: NDArray[np.float32], invalid: Mask) -> NDArray[np.float32]:
    from scipy.ndimage import distance_transform_edt

    nearest = distance_transform_edt(invalid, return_distances=False, return_indices=True)
    filled: NDArray[np.float32] = plane[tuple(nearest)]
    return filled
