"""Level and noise of the background between the beads, as smooth surfaces over the image.

The level of boxes is read as source extractors of astronomy do (E. Bertin & S. Arnouts,
"SExtractor: software for source extraction", Astron. Astrophys. Suppl. 117 (1996)); between
the boxes runs a thin-plate spline, as smooth as their errors allow.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise, product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.calibration.fit.spline import FieldSpline
from napari_deepblur.optics.field import to_field

__all__ = ["background_and_noise"]

#: Boxes along an axis at least, and the least side of a box, pixels.
_FEWEST_BOXES, _SMALLEST_BOX = 3, 16

#: Pixels that a box needs.
_FEWEST_PIXELS = 30

#: Pixels further than this from the median, by the deviation, are no background.
_CLIP = 3.0
_N_CLIPS = 8

#: Standard deviation of a Gaussian by its median absolute deviation.
_PER_MEDIAN_DEVIATION = 1.4826

#: Share of a Gaussian's values below minus and plus one standard deviation.
_ONE_DEVIATION = (0.159, 0.841)

#: Least noise of a place by that of a typical one, and of a box by all that varies in it.
_LEAST_OF_TYPICAL, _LEAST_SHARE = 0.5, 0.3

#: Least noise by the range of the image.
_RESOLUTION = 1e-6

Floats = NDArray[np.float64]


def background_and_noise(
    image: NDArray[np.float32], usable: NDArray[np.bool_], box: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Level and noise of the background at each pixel.

    Parameters
    ----------
    image
        Counts, shape (Y, X).
    usable
        Pixels that may be read, best those that no bead's light reaches, shape (Y, X).
    box
        Side of the boxes that are read, pixels.

    Returns
    -------
    background
        Counts, shape (Y, X).
    noise
        Standard deviation, counts, shape (Y, X); not less than a grey step of whole counts has
        by itself.
    """
    least = _least_noise(image[usable])
    boxes = [_Box.of(image, usable, *sides) for sides in _boxes(image.shape, box)]
    boxes = [one for one in boxes if one.n_pixels >= _FEWEST_PIXELS]
    if not boxes:
        level = float(np.median(image[usable])) if usable.any() else 0.0
        return np.full(image.shape, level, np.float32), np.full(image.shape, least, np.float32)
    places = to_field([one.middle for one in boxes], image.shape)
    level, deviation = np.array([(one.level, one.deviation) for one in boxes]).T
    root = np.sqrt([one.n_pixels for one in boxes])
    background = _surface(places, level, deviation.clip(least) / root, image.shape, box)
    # What the background changes within a box is no noise.
    slope = np.array([background[one.sides].std() for one in boxes])
    deviation = np.sqrt(np.maximum(deviation**2 - slope**2, (_LEAST_SHARE * deviation) ** 2))
    error = deviation.clip(least) / root
    background = _surface(places, level, error, image.shape, box)
    noise = _surface(places, deviation, error, image.shape, box)
    return background, noise.clip(max(least, _LEAST_OF_TYPICAL * float(np.median(deviation))))


class _Box(NamedTuple):
    sides: tuple[slice, slice]
    middle: tuple[float, float]  # of the pixels read, y, x
    level: float
    deviation: float
    n_pixels: int

    @classmethod
    def of(
        cls, image: NDArray[np.float32], usable: NDArray[np.bool_], rows: slice, columns: slice
    ) -> _Box:
        own = usable[rows, columns]
        values = image[rows, columns][own]
        if not len(values):
            return cls((rows, columns), (0.0, 0.0), 0.0, 0.0, 0)
        y, x = (float(index.mean()) for index in np.nonzero(own))
        middle = (rows.start + y, columns.start + x)
        return cls((rows, columns), middle, *_clipped_level(values), len(values))


def _boxes(shape: tuple[int, ...], box: int) -> Iterator[tuple[slice, slice]]:
    edges = [
        np.linspace(0, n, count + 1).astype(int).tolist()
        for n, count in zip(shape, _n_boxes(shape, box), strict=True)
    ]
    for (top, bottom), (left, right) in product(*map(pairwise, edges)):
        yield slice(top, bottom), slice(left, right)


def _n_boxes(shape: tuple[int, ...], box: int) -> list[int]:
    """Count the boxes along each axis."""
    return [max(1, round(n / box), min(_FEWEST_BOXES, n // _SMALLEST_BOX)) for n in shape]


def _surface(
    places: Floats, values: Floats, error: Floats, shape: tuple[int, ...], box: int
) -> NDArray[np.float32]:
    """Smoothest surface that values (n,) agree with to their errors, at all pixels."""
    from scipy.interpolate import RectBivariateSpline

    nodes = [np.linspace(-1, 1, 2 * n + 2) for n in _n_boxes(shape, box)]
    grid = np.stack(np.meshgrid(*nodes, indexing="ij"), -1)
    spline = FieldSpline(places, error**2)
    coordinates = spline.coordinates(values[:, None])[:, 0]
    at_places = spline.basis_at(places)
    for factors in spline.factors()[::-1]:
        misfit = (values - at_places @ (factors * coordinates)) / error
        if np.square(misfit).mean() <= 1:
            break
    at_nodes = spline.basis_at(grid.reshape(-1, 2)) @ (factors * coordinates)
    # Many pixels: interpolated from nodes half a box apart.
    between = RectBivariateSpline(*nodes, at_nodes.reshape(grid.shape[:2]))
    return np.asarray(between(*((2 * np.arange(n) + 1) / n - 1 for n in shape)), np.float32)


def _clipped_level(values: NDArray[np.float32]) -> tuple[float, float]:
    """Mean and deviation of the values that are not far from their median."""
    for _ in range(_N_CLIPS):
        level = np.median(values)
        deviation = _PER_MEDIAN_DEVIATION * np.median(np.abs(values - level))
        if deviation == 0:  # most pixels have the very same count
            deviation = np.ptp(np.quantile(values, _ONE_DEVIATION)) / 2
        kept = values[np.abs(values - level) <= _CLIP * deviation]
        if len(kept) == len(values):
            break
        values = kept
    return float(values.mean()), float(values.std())


def _least_noise(values: NDArray[np.float32]) -> float:
    """Noise that rounding alone makes."""
    span = float(np.ptp(values)) if len(values) else 0.0
    step = 1.0 if np.array_equal(values, values.round()) else 0.0
    return max(step / math.sqrt(12), _RESOLUTION * span, float(np.finfo(np.float32).tiny))
