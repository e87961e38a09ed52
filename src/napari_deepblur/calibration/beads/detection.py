"""Bright spots of about the size of the optics' blur, found in scale space.

Source: T. Lindeberg, "Feature detection with automatic scale selection", Int. J. Comput.
Vis. 30, 79 (1998).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["find_spots", "typical_deviation"]

#: Widths tried for the typical bead, pixels. Single pixels answer to the first only.
_RATIO = 2**0.5
_DEVIATIONS = tuple(0.5 * _RATIO ** np.arange(11))

#: The typical width is read from so many tiles of the image at most.
_TILE, _N_TILES = 256, 16

#: Response that a spot must have to tell the width; that of noise has a deviation of 0.8 at most.
_STRONG = 4.0

#: Spots are sought at these widths, by the typical one.
_SPREAD = (2**-0.5, 1.0, 2**0.5)

#: A spot of a wider Laplacian is new if so far from those found before, by the typical width.
_SAME = 3.0

#: Least response, by its own noise: the largest of 2048² pixels of noise alone is about 5.3.
_LEAST_SNR = 6.0

Floats = NDArray[np.float64]


def typical_deviation(signal: NDArray[np.float32]) -> float | None:
    """Width σ of the typical spot, by the scale of its strongest response; None without spots.

    Parameters
    ----------
    signal
        Image without background, in units of its noise, shape (Y, X).

    Returns
    -------
        Width in pixels.
    """
    spots = np.concatenate([np.zeros((0, 2)), *map(_scales_of, _tiles(signal))])
    if not len(spots):
        return None
    width, strength = spots.T
    # Weighed by strength, as rings and noise around a bright bead are many but weak; no spot
    # weighs more than the typical, as clumps and saturated beads are few but strong.
    weight = strength.clip(None, _weighted_median(strength, strength))
    return _weighted_median(width, weight)


def _weighted_median(values: Floats, weights: Floats) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


def _tiles(signal: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Pick some of the tiles that are not dark, from the dimmest to the brightest."""
    tiles = [
        signal[top : top + _TILE, left : left + _TILE]
        for top in range(0, signal.shape[0], _TILE)
        for left in range(0, signal.shape[1], _TILE)
    ]
    bright = [np.count_nonzero(tile > 2 * _STRONG) for tile in tiles]
    order = [index for index in np.argsort(bright, kind="stable") if bright[index]]
    some = np.linspace(0, len(order) - 1, min(_N_TILES, len(order))).round().astype(int)
    return [tiles[order[index]] for index in some]


def _scales_of(tile: NDArray[np.float32]) -> Floats:
    """Width and strength of the spots in a tile, shape (n, 2)."""
    from scipy.ndimage import gaussian_laplace
    from skimage.feature import peak_local_max

    responses = np.stack([-(s**2) * gaussian_laplace(tile, s) for s in _DEVIATIONS])
    peaks = peak_local_max(responses, min_distance=1, threshold_abs=_STRONG, exclude_border=False)
    scale, row, column = peaks[(peaks[:, 0] > 0) & (peaks[:, 0] < len(_DEVIATIONS) - 1)].T
    below, at, above = (responses[scale + step, row, column] for step in (-1, 0, 1))
    # The vertex of the parabola through three scales.
    fraction = (above - below) / (2 * (2 * at - below - above)).clip(np.finfo(np.float32).eps)
    return np.stack([_DEVIATIONS[0] * _RATIO ** (scale + fraction.clip(-0.5, 0.5)), at], -1)


def find_spots(signal: NDArray[np.float32], deviation: float) -> NDArray[np.int_]:
    """Pixels in which spots of about one width have their middle.

    Local maxima of three Laplacians of Gaussians, each in units of its own noise. The finest
    tells neighbours apart, the widest adds what only it sees; what the middle one does not see
    near by is noise.

    Parameters
    ----------
    signal
        Image without background, in units of its noise, shape (Y, X).
    deviation
        Width σ of the typical spot, pixels.

    Returns
    -------
        y, x, shape (n, 2).
    """
    from scipy.ndimage import maximum_filter
    from skimage.feature import peak_local_max

    widths = deviation * np.array(_SPREAD)
    responses = [_response(signal, width) for width in widths]
    is_seen = maximum_filter(responses[1], 3) >= _LEAST_SNR
    found = np.zeros((0, 2), int)
    for response, width in zip(responses, widths, strict=True):
        peaks = peak_local_max(
            np.where(is_seen, response, 0),
            min_distance=max(1, round(width)),
            threshold_abs=_LEAST_SNR,
            exclude_border=False,
        )
        found = np.concatenate([found, _apart(peaks, found, _SAME * deviation)])
    return found


def _response(signal: NDArray[np.float32], width: float) -> NDArray[np.float32]:
    from scipy.ndimage import gaussian_laplace

    return np.asarray(-gaussian_laplace(signal, width) / _loudness(width), np.float32)


def _loudness(width: float) -> float:
    """Noise of the Laplacian of a Gaussian where that of each pixel is 1."""
    from scipy.ndimage import gaussian_laplace

    side = 2 * int(np.ceil(4 * width)) + 3
    single = np.zeros((side, side))
    single[side // 2, side // 2] = 1
    return float(np.linalg.norm(gaussian_laplace(single, width)))


def _apart(peaks: NDArray[np.int_], found: NDArray[np.int_], distance: float) -> NDArray[np.int_]:
    """Peaks that lie apart from those found before."""
    from scipy.spatial import KDTree

    if not len(found) or not len(peaks):
        return peaks
    return np.asarray(peaks[KDTree(found).query(peaks)[0] > distance])
