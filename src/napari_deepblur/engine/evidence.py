"""Keep the detail of a deblurred image for which the observed image holds evidence.

A network draws what its training images suggest where the data do not decide: specks on an empty
ground, granules in smooth places. So the fine detail of its result, octave by octave, is weighted
by local evidence that the observed image holds more than noise there. It is looked for in a
band-pass of the observed image about as wide as the blur, divided by its noise, in two ways: single
pixels too far out for noise (points), and an average of squares over the neighbourhood too high
for noise (textures, edges).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.smoothing import gaussian_mean, highest_nearby
from napari_deepblur.optics.settings import CANONICAL_CUTOFF

__all__ = ["evidence_of_detail", "softened_where_loud", "supported_detail"]

#: Octaves of detail that are weighted, from the finest; coarser structures stay as they are.
_N_OCTAVES = 2

#: Gaussians between which evidence is looked for, and the neighbourhood's, in pixels at the
#: canonical cutoff in the finest octave.
_NARROW, _WIDE, _NEIGHBOURHOOD = 0.8, 3.0, 5.0

#: Squared norm of that band-pass and area over which it correlates noise, at 1 pixel.
_NORM = (_NARROW**-2 + _WIDE**-2 - 4 / (_NARROW**2 + _WIDE**2)) / (4 * math.pi)
_CORRELATED_AREA = 3.45

#: Deviations of a single pixel at which evidence begins and is full. Of noise alone one 512² plane
#: in three has a pixel above the first, one in some hundred above the second.
_POINT = (4.5, 5.5)

#: Squares count up to this, so that bright edges do not speak for their whole neighbourhood; mean
#: and standard deviation of such squares of unit noise.
_LARGEST_SQUARE, _MEAN, _DEVIATION = 4.0, 0.9205, 1.1101

#: The same for the average of squares, by its standard deviation.
_TEXTURE = (4.0, 7.0)

#: How far around a point its evidence reaches, pixels at the canonical cutoff.
_REACH, _SOFT = 2.0, 0.5

#: Noise by the image's span at which softening begins and is full, and its Gaussian in pixels at
#: the canonical cutoff. Networks are trained with images whose noise is up to 0.1 all over, few of
#: them so loud; the brightest places of a photon-limited image can be louder.
_LOUD, _SOFTENING = (0.05, 0.1), 0.7


def supported_detail(
    sharp: NDArray[np.float32],
    observed: NDArray[np.float32],
    noise: NDArray[np.float32],
    cutoff: float,
) -> NDArray[np.float32]:
    """Weight the fine detail of a deblurred plane by the evidence for it.

    Parameters
    ----------
    sharp
        Deblurred plane, shape (Y, X).
    observed
        Observed plane, same shape and unit.
    noise
        Standard deviation of the observed plane's noise at each pixel, same shape and unit.
    cutoff
        f_c of the optics, cycles per pixel.

    Returns
    -------
        Float32, shape (Y, X). Where there is no evidence it is the deblurred plane smoothed
        by a Gaussian of 1 / cutoff pixels.
    """
    kept = np.zeros_like(sharp)
    finer = sharp
    for octave in range(_N_OCTAVES):
        unit = 2**octave * CANONICAL_CUTOFF / cutoff
        coarser = _smooth(sharp, 2 * unit)
        kept += evidence_of_detail(observed, noise, unit) * (finer - coarser)
        finer = coarser
    return kept + finer


def softened_where_loud(
    sharp: NDArray[np.float32], noise_level: NDArray[np.float32], cutoff: float
) -> NDArray[np.float32]:
    """Smooth a deblurred plane a little where the noise is louder than training mostly had it.

    Parameters
    ----------
    sharp
        Deblurred plane, shape (Y, X).
    noise_level
        Standard deviation of the noise at each pixel by the image's span, same shape.
    cutoff
        f_c of the optics, cycles per pixel.
    """
    share = _rise(noise_level, _LOUD)
    return sharp + share * (_smooth(sharp, _SOFTENING * CANONICAL_CUTOFF / cutoff) - sharp)


def evidence_of_detail(
    observed: NDArray[np.float32], noise: NDArray[np.float32], unit: float = 1.0
) -> NDArray[np.float32]:
    """Evidence that a plane holds more than noise around each pixel, between 0 and 1.

    Parameters
    ----------
    observed
        Plane of shape (Y, X).
    noise
        Standard deviation of its noise at each pixel, same shape and unit.
    unit
        Size of the detail: 1 for the finest at the canonical cutoff.
    """
    band = _smooth(observed, _NARROW * unit) - _smooth(observed, _WIDE * unit)
    least = np.finfo(np.float32).tiny
    deviation = np.abs(band) / (noise * np.float32(_NORM**0.5 / unit)).clip(least)
    reach = max(1, round(_REACH * unit))
    points = _smooth(highest_nearby(_rise(deviation, _POINT), reach), _SOFT * unit)
    width = _NEIGHBOURHOOD * unit
    squares = _smooth(np.minimum(deviation**2, _LARGEST_SQUARE), width)
    area = _CORRELATED_AREA * unit**2
    scatter = _DEVIATION * math.sqrt(area / (4 * math.pi * width**2 + area))
    texture = _rise((squares - np.float32(_MEAN)) / np.float32(scatter), _TEXTURE)
    evidence: NDArray[np.float32] = np.maximum(points, texture)
    return evidence


def _rise(value: NDArray[np.float32], ends: tuple[float, float]) -> NDArray[np.float32]:
    """Smooth step from 0 to 1 between two ends."""
    share = ((value - np.float32(ends[0])) / np.float32(ends[1] - ends[0])).clip(0, 1)
    step: NDArray[np.float32] = share * share * (3 - 2 * share)
    return step


def _smooth(image: NDArray[np.float32], width: float) -> NDArray[np.float32]:
    return gaussian_mean(image, width, truncate=3)
