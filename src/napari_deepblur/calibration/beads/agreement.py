"""How beads agree with their neighbours: brightness, intruders, noise and misfit of each."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.calibration.beads.prediction import local_median, smooth_prediction

__all__ = ["Agreement", "agreement", "core_radius", "disc"]

#: A bead's core, by the window and by the full width at half maximum, whichever is more.
_CORE_OF_WINDOW, _CORE_OF_WIDTH = 0.25, 1.0

_N_ROUNDS = 3

#: An intruder's middle and its edge, smoothed as a bead is, by what residuals are elsewhere.
_INTRUDER, _INTRUDER_EDGE = 5.0, 2.0

#: Fewer beads cannot say which of them is odd.
_FEWEST = 6

#: A bead is odd whose misfit exceeds that of beads as bright by so many deviations, and
#: by so much at least.
_ODD_DEVIATIONS, _ODD_FACTOR = 4.0, 1.6

#: Beads from which the growth of misfit with brightness is read.
_MOST_PAIRS = 1000

#: Pixels outside the core from which background and noise can be read.
_FEWEST_PIXELS = 16

#: Least sum of a prediction, by the median one.
_LEAST_SUM = 0.1

_PER_MEDIAN_DEVIATION = 1.4826

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Agreement(NamedTuple):
    """Beads and what their neighbours say of them.

    Attributes
    ----------
    patches
        Normalised beads, intruders replaced by the prediction, shape (n, h, w).
    noise
        Standard deviation of the normalised beads' background, shape (n,).
    is_like
        Whether the bead looks as its neighbours do, shape (n,).
    """

    patches: Floats
    noise: Floats
    is_like: Mask


def core_radius(window: int, fwhm: float) -> float:
    """Radius within which a bead must be alone, pixels; beyond it neighbours are replaced."""
    return max(_CORE_OF_WINDOW * window, _CORE_OF_WIDTH * fwhm)


def disc(window: int, radius: float) -> Mask:
    """Pixels of a window within a distance of its middle."""
    pixels = np.arange(window) - window // 2
    return np.asarray(np.hypot(pixels[:, None], pixels) <= radius)


def agreement(
    patches: Floats, places: Floats, *, deviation: float, core: float, noise: Floats
) -> Agreement:
    """Compare centred beads with what the others predict at their places.

    Brightness and rest of background are fitted to the prediction, whose sum is 1: the plain sum
    of a bead over 31 × 31 pixels is wrong by a fifth at a peak of 20 times the noise.

    Parameters
    ----------
    patches
        Centred beads above background, shape (n, h, h).
    places
        Field coordinates in [-1, 1], shape (n, 2).
    deviation
        Typical width σ of a bead, pixels.
    core
        Radius within which a neighbour cannot be told from the bead, pixels.
    noise
        Standard deviation of the image's background at each bead, counts, shape (n,).

    Returns
    -------
        One row for each bead.
    """
    inside = disc(patches.shape[-1], core)
    least = float(noise.min())
    predicted = _of_sum_one(_first_prediction(patches, places, deviation), inside)
    offset = np.zeros((len(patches), 1, 1))
    for _ in range(_N_ROUNDS):
        amplitude = _amplitude(patches - offset, predicted, inside)
        residual = patches - amplitude * predicted
        intruders = _intruders(residual / amplitude, least / amplitude, deviation) & ~inside
        offset, deviations = _offset_and_noise(residual, ~intruders & ~inside, noise)
        deviations = deviations.clip(least)
        brightness = amplitude[:, 0, 0] / deviations
        model = amplitude * predicted + offset
        misfit = np.square((patches - model)[:, inside]).mean(-1) / deviations**2
        is_like = _are_like(misfit, brightness)
        normalised = (np.where(intruders, model, patches) - offset) / amplitude
        smooth = smooth_prediction(normalised, places, is_like * brightness**2)
        predicted = _of_sum_one(smooth, inside)
    return Agreement(normalised, 1 / brightness, is_like)


def _first_prediction(patches: Floats, places: Floats, deviation: float) -> Floats:
    """Median of the nearest beads, each by its light under a Gaussian."""
    pixels = np.arange(patches.shape[-1]) - patches.shape[-1] // 2
    bell = np.exp(-(pixels**2) / (2 * deviation**2))
    light = np.einsum("nyx,y,x->n", patches, bell, bell).clip(np.finfo(np.float32).tiny)
    return local_median(patches / light[:, None, None], places)


def _of_sum_one(predicted: Floats, inside: Mask) -> Floats:
    """Divided by their sums; beyond the core, where noise outweighs light, by the mean's."""
    total = predicted[:, inside].sum(-1) + predicted[:, ~inside].sum(-1).mean()
    least = _LEAST_SUM * np.median(np.abs(total)) + np.finfo(np.float32).tiny
    return np.asarray(predicted / total.clip(least)[:, None, None])


def _amplitude(patches: Floats, predicted: Floats, inside: Mask) -> Floats:
    """Brightness of each bead, from the core alone: noise of a prediction makes it too small."""
    core, expected = patches[:, inside], predicted[:, inside]
    amplitude = (core * expected).sum(-1) / np.square(expected).sum(-1)
    least = np.finfo(np.float32).eps * np.abs(patches).max() + np.finfo(np.float32).tiny
    return np.asarray(amplitude.clip(least)[:, None, None])


def _intruders(residual: Floats, least_noise: Floats, deviation: float) -> Mask:
    """Pixels far brighter than predicted, by how dark they are in other beads."""
    from scipy.ndimage import gaussian_filter
    from skimage.filters import apply_hysteresis_threshold

    smooth = gaussian_filter(residual, (0, deviation, deviation))
    # Intruders only brighten: the dark side tells noise and misfit at each pixel.
    each = np.sqrt(np.square(smooth.clip(None, 0)).mean((-2, -1), keepdims=True))
    every = -np.quantile(smooth, 0.16, axis=0)
    excess = smooth / np.maximum(each, every).clip(least_noise)
    return np.stack([apply_hysteresis_threshold(one, _INTRUDER_EDGE, _INTRUDER) for one in excess])


def _offset_and_noise(residual: Floats, counts: Mask, noise: Floats) -> tuple[Floats, Floats]:
    """Rest of background (n, 1, 1), as far as it is more than chance, and its noise, (n,)."""
    n = counts.sum((-2, -1))
    enough = n >= _FEWEST_PIXELS
    n = n.clip(1)
    offset = residual.sum((-2, -1), where=counts) / n
    deviation = residual - offset[:, None, None]
    measured = np.sqrt(np.square(deviation).sum((-2, -1), where=counts) / n)
    by_chance = np.median(measured**2 / n)
    spread = np.square(_PER_MEDIAN_DEVIATION * np.median(np.abs(offset)))
    share = max(0.0, 1 - by_chance / max(spread, np.finfo(float).tiny))
    return (enough * share * offset)[:, None, None], np.where(enough, measured, noise)


def _are_like(misfit: Floats, brightness: Floats) -> Mask:
    """Whose misfit is that of beads as bright; misfit grows with brightness."""
    from scipy.stats import theilslopes

    if len(misfit) < _FEWEST:
        return np.ones(len(misfit), bool)
    x, y = np.log(brightness), np.log(misfit + np.finfo(float).tiny)
    some = slice(None, None, max(1, len(x) // _MOST_PAIRS))
    slope = theilslopes(y[some], x[some]).slope if np.ptp(x[some]) > 0 else 0.0
    excess = y - slope * x
    excess -= np.median(excess)
    deviation = _PER_MEDIAN_DEVIATION * np.median(np.abs(excess))
    return np.asarray(excess <= max(_ODD_DEVIATIONS * deviation, np.log(_ODD_FACTOR)))
