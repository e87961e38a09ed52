"""What lies between the beads of an image: its level and its noise, box by box."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["background_and_noise"]

_SMALLEST_BOX = 64

#: Pixels further than this from the median, by the deviation, are beads and not background.
_CLIP = 3.0
_N_CLIPS = 8

#: Standard deviation of a Gaussian by its median absolute deviation.
_PER_MEDIAN_DEVIATION = 1.4826

#: Share of a Gaussian's values below minus and plus one standard deviation.
_ONE_DEVIATION = (0.159, 0.841)

#: Least noise by the range of the image.
_RESOLUTION = 1e-6

Floats = NDArray[np.float64]


def background_and_noise(
    image: NDArray[np.float32], window: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Level and noise of the background at each pixel.

    Median and median absolute deviation of boxes four windows wide, clipped at 3 σ until beads
    have no say, interpolated linearly between the boxes' middles. Boxes are large because a
    bead's light is summed over its window: the error of the level counts once for each pixel.

    Parameters
    ----------
    image
        Counts, shape (Y, X).
    window
        Side of a bead's patch, pixels.

    Returns
    -------
    background
        Counts, shape (Y, X).
    noise
        Standard deviation, counts, shape (Y, X); not less than a grey step of whole counts has
        by itself.
    """
    box = max(4 * window, _SMALLEST_BOX)
    edges = [np.linspace(0, n, max(1, round(n / box)) + 1).astype(int) for n in image.shape]
    columns = list(zip(edges[1][:-1], edges[1][1:], strict=True))
    levels = np.array(
        [
            [_clipped_level(image[top:bottom, left:right]) for left, right in columns]
            for top, bottom in zip(edges[0][:-1], edges[0][1:], strict=True)
        ]
    )
    between_y, between_x = (_interpolation(edge) for edge in edges)
    background, noise = (between_y @ levels[..., i] @ between_x.T for i in (0, 1))
    return background.astype(np.float32), noise.clip(_least_noise(image)).astype(np.float32)


def _clipped_level(box: NDArray[np.float32]) -> tuple[float, float]:
    values = box.ravel()
    for _ in range(_N_CLIPS):
        level = np.median(values)
        deviation = _PER_MEDIAN_DEVIATION * np.median(np.abs(values - level))
        if deviation == 0:  # most pixels have the very same count
            deviation = np.ptp(np.quantile(values, _ONE_DEVIATION)) / 2
        kept = values[np.abs(values - level) <= _CLIP * deviation]
        if len(kept) == len(values):
            break
        values = kept
    return float(level), float(deviation)


def _interpolation(edges: NDArray[np.int_]) -> Floats:
    """Weights of the boxes at each pixel of an axis, shape (pixels, boxes)."""
    middles = (edges[:-1] + edges[1:] - 1) / 2
    pixels = np.arange(edges[-1])
    return np.stack([np.interp(pixels, middles, unit) for unit in np.eye(len(middles))], -1)


def _least_noise(image: NDArray[np.float32]) -> float:
    """Noise that rounding alone makes."""
    span = float(np.ptp(image))
    step = 1.0 if np.array_equal(image, image.round()) else 0.0
    return max(step / math.sqrt(12), _RESOLUTION * span, float(np.finfo(np.float32).tiny))
