"""Level and noise of the background between the beads, as smooth surfaces over the image.

The level of boxes is read as source extractors of astronomy do (E. Bertin & S. Arnouts,
"SExtractor: software for source extraction", Astron. Astrophys. Suppl. 117 (1996)); between
the boxes runs a thin-plate spline, as smooth as leaving boxes out finds best.
"""

from __future__ import annotations

import math
from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.calibration.fit.maps import fit_maps
from napari_deepblur.calibration.fit.spline import FieldSpline

__all__ = ["background_and_noise"]

#: Boxes along an axis at least, and the least side of a box, pixels.
_FEWEST_BOXES, _SMALLEST_BOX = 3, 16

#: Pixels that a box needs.
_FEWEST_PIXELS = 30

#: Pixels further than this from the median, by the deviation, are no background.
_CLIP = 3.0
_N_CLIPS = 8

#: Standard deviation of a Gaussian by its median absolute deviation; standard error of a
#: median by that of a mean.
_PER_MEDIAN_DEVIATION, _MEDIAN_BY_MEAN = 1.4826, 1.2533

#: Share of a Gaussian's values below minus and plus one standard deviation.
_ONE_DEVIATION = (0.159, 0.841)

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
    boxes = _boxes(image, usable, box)
    if not len(boxes):
        level = float(np.median(image[usable])) if usable.any() else 0.0
        return np.full(image.shape, level, np.float32), np.full(image.shape, least, np.float32)
    places, levels, deviation, count = np.split(boxes, [2, 3, 4], axis=1)
    error = _MEDIAN_BY_MEAN * deviation.clip(least) / np.sqrt(count)
    spline = FieldSpline(2 * (places + 0.5) / image.shape - 1, error[:, 0] ** 2)
    values = np.hstack([levels, deviation])
    maps = fit_maps(spline, values, np.arange(2))
    nodes = [np.linspace(-1, 1, 2 * max(_FEWEST_BOXES, round(n / box)) + 1) for n in image.shape]
    grid = np.stack(np.meshgrid(*nodes, indexing="ij"), -1)
    surfaces = maps.at(grid.reshape(-1, 2)).reshape(*grid.shape[:2], 2)
    background, noise = (_at_pixels(surfaces[..., i], nodes, image.shape) for i in (0, 1))
    return background, noise.clip(max(least, 0.5 * float(np.median(deviation))))


def _boxes(image: NDArray[np.float32], usable: NDArray[np.bool_], box: int) -> Floats:
    """Rows of y, x (pixels), level, noise and number of pixels, one for each box."""
    n_boxes = [max(1, round(n / box), min(_FEWEST_BOXES, n // _SMALLEST_BOX)) for n in image.shape]
    edges = [
        np.linspace(0, n, count + 1).astype(int)
        for n, count in zip(image.shape, n_boxes, strict=True)
    ]
    rows = []
    for (top, bottom), (left, right) in product(*map(pairwise, edges)):
        own = usable[top:bottom, left:right]
        values = image[top:bottom, left:right][own]
        if len(values) >= _FEWEST_PIXELS:
            y, x = (index.mean() for index in np.nonzero(own))
            rows.append((top + y, left + x, *_clipped_level(values), len(values)))
    return np.array(rows, float).reshape(-1, 5)


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
    return float(values.mean()), float(deviation)


def _at_pixels(surface: Floats, nodes: list[Floats], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Cubic interpolation from nodes in [-1, 1] to all pixels."""
    from scipy.interpolate import RectBivariateSpline

    pixels = [(2 * np.arange(n) + 1) / n - 1 for n in shape]
    return np.asarray(RectBivariateSpline(*nodes, surface)(*pixels), np.float32)


def _least_noise(values: NDArray[np.float32]) -> float:
    """Noise that rounding alone makes."""
    span = float(np.ptp(values)) if len(values) else 0.0
    step = 1.0 if np.array_equal(values, values.round()) else 0.0
    return max(step / math.sqrt(12), _RESOLUTION * span, float(np.finfo(np.float32).tiny))
