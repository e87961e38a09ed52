"""First look at an image: its background, its noise, and the spots on it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.calibration.beads.agreement import core_radius
from napari_deepblur.calibration.beads.background import background_and_noise
from napari_deepblur.calibration.beads.centre import FWHM_PER_DEVIATION
from napari_deepblur.calibration.beads.detection import find_spots, typical_deviation
from napari_deepblur.calibration.beads.neighbours import Spots, without_lobes

__all__ = ["Survey", "reach", "survey"]

#: Width σ of a bead by the window, where the image does not tell.
_DEVIATION_OF_WINDOW = 1 / 30


class Survey(NamedTuple):
    """What an image shows before its beads are measured.

    Attributes
    ----------
    image
        Counts, float32, shape (Y, X).
    background
        Counts, same shape.
    noise
        Standard deviation of the background, counts, same shape.
    deviation
        Width σ of the typical spot, pixels.
    spots
        All spots, side lobes apart.
    """

    image: NDArray[np.float32]
    background: NDArray[np.float32]
    noise: NDArray[np.float32]
    deviation: float
    spots: Spots

    @property
    def excess(self) -> NDArray[np.float32]:
        """Counts above background, shape (Y, X)."""
        return self.image - self.background

    @property
    def fwhm(self) -> float:
        """Full width at half maximum of the typical spot, pixels."""
        return self.deviation * FWHM_PER_DEVIATION


def reach(window: int, fwhm: float) -> float:
    """Distance within which a neighbour's light gets into a bead's core, pixels."""
    return core_radius(window, fwhm) + fwhm


def survey(image: NDArray[np.float32], window: int) -> Survey:
    """Background, noise, typical width and spots of an image (Y, X)."""
    background, noise = background_and_noise(image, window)
    excess = image - background
    signal = excess / noise
    deviation = typical_deviation(signal)
    if deviation is None:
        nothing = Spots(np.zeros((0, 2)), np.zeros(0))
        return Survey(image, background, noise, window * _DEVIATION_OF_WINDOW, nothing)
    pixels = find_spots(signal, deviation)
    spots = Spots(pixels.astype(float), excess[tuple(pixels.T)].astype(float))
    distance = reach(window, deviation * FWHM_PER_DEVIATION)
    spots = without_lobes(spots, excess, deviation=deviation, reach=distance)
    return Survey(image, background, noise, deviation, spots)
