"""Agreement of beads with their neighbours: brightness, intruders, noise and misfit of each."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.calibration.beads.centre import FWHM_PER_DEVIATION
from napari_deepblur.calibration.beads.prediction import local_median, smooth_prediction

__all__ = ["Agreement", "agreement", "disc"]

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
_FEWEST_PIXELS = 30

#: Least sum of a prediction, by the median one.
_LEAST_SUM = 0.1

_PER_MEDIAN_DEVIATION = 1.4826

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Agreement(NamedTuple):
    """Beads compared with the others' prediction, one row for each bead.

    Attributes
    ----------
    patches
        Normalised beads; pixels without data and intruders are replaced by the prediction,
        shape (n, h, h).
    noise
        Standard deviation of the normalised beads' background, shape (n,).
    is_like
        True where the bead looks as its neighbours do, shape (n,).
    amplitude
        Light of each bead, counts, shape (n,).
    level
        Rest of background that was taken off at each bead's middle, counts, shape (n,).
    """

    patches: Floats
    noise: Floats
    is_like: Mask
    amplitude: Floats
    level: Floats


def disc(window: int, radius: float) -> Mask:
    """Pixels of a window within a distance of its middle."""
    pixels = np.arange(window) - window // 2
    return np.asarray(np.hypot(pixels[:, None], pixels) <= radius)


def agreement(
    patches: Floats, places: Floats, *, valid: Mask, fwhm: float, core: float, noise: Floats
) -> Agreement:
    """Compare centred beads with what the others predict at their places.

    Brightness and the rest of the background, a plane, are fitted to the prediction, whose sum
    is 1: the plain sum of a bead over 31 × 31 pixels is wrong by a fifth at a peak of 20 times
    the noise.

    Parameters
    ----------
    patches
        Centred beads above background, shape (n, h, h).
    places
        Field coordinates in [-1, 1], shape (n, 2).
    valid
        Pixels of the patches that hold data, shape (n, h, h).
    fwhm
        Typical full width at half maximum of a bead, pixels.
    core
        Radius within which a neighbour cannot be told from the bead, pixels.
    noise
        Standard deviation of the image's background at each bead, counts, shape (n,).
    """
    deviation = fwhm / FWHM_PER_DEVIATION
    middle = patches.shape[-1] // 2
    inside = disc(patches.shape[-1], core)
    least = float(noise.min())
    predicted = _normalised(_first_prediction(patches, places, deviation), inside)
    plane = np.zeros_like(patches)
    for _ in range(_N_ROUNDS):
        amplitude = _amplitude(patches - plane, predicted, inside)
        residual = patches - amplitude * predicted
        replaced = _intruders(residual / amplitude, least / amplitude, deviation) & ~inside
        replaced |= ~valid
        plane, deviations = _plane_and_noise(residual, ~replaced & ~inside, noise)
        deviations = deviations.clip(least)
        brightness = amplitude[:, 0, 0] / deviations
        model = amplitude * predicted + plane
        misfit = np.square((patches - model)[:, inside]).mean(-1) / deviations**2
        is_like = _are_like(misfit, brightness)
        normalised = (np.where(replaced, model, patches) - plane) / amplitude
        smooth = smooth_prediction(normalised, places, is_like * brightness**2)
        predicted = _normalised(smooth, inside)
    return Agreement(
        normalised, 1 / brightness, is_like, amplitude[:, 0, 0], plane[:, middle, middle]
    )


def _first_prediction(patches: Floats, places: Floats, deviation: float) -> Floats:
    """Median of the nearest beads, each by its light under a Gaussian."""
    pixels = np.arange(patches.shape[-1]) - patches.shape[-1] // 2
    bell = np.exp(-(pixels**2) / (2 * deviation**2))
    light = np.einsum("nyx,y,x->n", patches, bell, bell).clip(np.finfo(np.float32).tiny)
    return local_median(patches / light[:, None, None], places)


def _normalised(predicted: Floats, inside: Mask) -> Floats:
    """Divide predictions by their sums; beyond the core, where noise outweighs light, all alike."""
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


def _plane_and_noise(residual: Floats, counts: Mask, noise: Floats) -> tuple[Floats, Floats]:
    """Fit planes (n, h, h) to the rest of the background, and read its noise (n,).

    Planes are shrunk by the share that chance has in them.
    """
    side = residual.shape[-1]
    pixels = np.linspace(-1, 1, side)
    terms = np.stack(
        [np.ones((side, side)), *np.meshgrid(pixels, pixels, indexing="ij")], -1
    ).reshape(-1, 3)
    weights = counts.reshape(len(counts), -1).astype(float)
    enough = weights.sum(-1) >= _FEWEST_PIXELS
    weights[~enough] = 1.0
    inverse = np.linalg.inv(np.einsum("np,pa,pb->nab", weights, terms, terms, optimize=True))
    flat = residual.reshape(len(residual), -1)
    planes = np.einsum("nab,nb->na", inverse, (weights * flat) @ terms)
    left = np.square(flat - planes @ terms.T)
    measured = np.sqrt((weights * left).sum(-1) / (weights.sum(-1) - 3))
    by_chance = np.median(measured[:, None] ** 2 * np.diagonal(inverse, axis1=1, axis2=2), axis=0)
    spread = np.square(_PER_MEDIAN_DEVIATION * np.median(np.abs(planes), axis=0))
    share = (1 - by_chance / spread.clip(np.finfo(float).tiny)).clip(0)
    real = (enough[:, None] * share * planes) @ terms.T
    return real.reshape(residual.shape), np.where(enough, measured, noise)


def _are_like(misfit: Floats, brightness: Floats) -> Mask:
    """Beads with no more misfit than others as bright have; misfit grows with brightness."""
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
