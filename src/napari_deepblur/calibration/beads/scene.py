"""First look at an image of beads: its valid pixels, background, noise and spots."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.calibration.beads.background import background_and_noise
from napari_deepblur.calibration.beads.centre import FWHM_PER_DEVIATION
from napari_deepblur.calibration.beads.detection import find_spots, typical_deviation
from napari_deepblur.calibration.beads.lines import line_levels
from napari_deepblur.calibration.beads.neighbours import Spots, without_lobes
from napari_deepblur.errors import ImageError
from napari_deepblur.pixels import has_data

__all__ = ["BeadScene", "core_radius", "reach", "widest_window"]

#: Width σ of a bead where the image does not tell, pixels.
_USUAL_DEVIATION = 1.0

#: Side of the boxes in which the background is read, pixels; smaller where fewer than so many
#: lie along a side. The share of a box's pixels that are read at least: those farthest from all
#: spots.
_BOX, _N_BOXES, _LEAST_SHARE = 64, 6, 0.2

#: A window holds 97 % of the light of a diffraction-limited bead if it is so many times as wide
#: as the full width at half maximum; no window is larger than so many pixels.
_WIDE, _LARGEST_WINDOW = 14, 63

#: Least brightest pixel of a spot, by the noise.
_STANDS_OUT = 2.0

#: A bead's core, by the window and by the full width at half maximum, whichever is more.
_CORE_OF_WINDOW, _CORE_OF_WIDTH = 0.25, 1.0

Counts = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class BeadScene:
    """An image of beads with what must be known before its beads are measured.

    Attributes
    ----------
    image
        Counts, float32, shape (Y, X).
    valid
        Pixels that hold data, shape (Y, X).
    background
        Counts, shape (Y, X).
    noise
        Standard deviation of the background, counts, shape (Y, X).
    deviation
        Standard deviation of the Gaussian most like the typical spot, pixels.
    spots
        All spots but side lobes.
    """

    image: Counts
    valid: Mask
    background: Counts
    noise: Counts
    deviation: float
    spots: Spots

    @classmethod
    def of(cls, image: NDArray[np.floating]) -> BeadScene:
        """Look at an image.

        Parameters
        ----------
        image
            Counts, shape (Y, X); NaN where there are no data.

        Raises
        ------
        ImageError
            If the image is no plane or holds no data.
        """
        image = np.asarray(image, np.float32)
        if image.ndim != 2 or image.size == 0:
            raise ImageError(
                f"expected one plane of beads (Y, X), got an image of shape {image.shape}"
            )
        valid = has_data(image)
        if not valid.any():
            raise ImageError("no pixel of the bead image holds data")
        background, noise = background_and_noise(image, valid, _BOX)
        lines, sound = line_levels(image - background, noise, valid)
        valid, background = valid & sound, background + lines
        signal = np.where(valid, (image - background) / noise, np.float32(0))
        deviation = typical_deviation(signal)
        if deviation is None:
            none = Spots(np.zeros((0, 2)), np.zeros(0))
            return cls(image, valid, background, noise, _USUAL_DEVIATION, none)
        pixels = find_spots(signal, deviation)
        window = widest_window(deviation)
        usable = valid & _away_from(pixels, image.shape, window / 2)
        side = int(np.clip(min(image.shape) // _N_BOXES, min(window, _BOX), _BOX))
        background, noise = background_and_noise(image - lines, usable, side)
        background += lines
        excess = np.where(valid, image - background, np.float32(0))
        # Detected on the first, rougher background, some may not stand out from this one.
        pixels = pixels[(excess > _STANDS_OUT * noise)[tuple(pixels.T)]]
        spots = without_lobes(
            Spots(pixels.astype(float), excess[tuple(pixels.T)].astype(float)),
            excess,
            deviation=deviation,
            reach=reach(window, deviation * FWHM_PER_DEVIATION),
        )
        return cls(image, valid, background, noise, deviation, spots)

    @property
    def excess(self) -> Counts:
        """Counts above background, 0 where there are no data, shape (Y, X)."""
        return np.where(self.valid, self.image - self.background, np.float32(0))

    @property
    def fwhm(self) -> float:
        """Full width at half maximum of the typical spot, pixels."""
        return self.deviation * FWHM_PER_DEVIATION

    def surroundings(self, distance: float) -> Mask:
        """Mark valid pixels farther than a distance in pixels from all spots, shape (Y, X)."""
        pixels = self.spots.positions.round().astype(int)
        return self.valid & (_distances(pixels, self.image.shape) >= distance)


def widest_window(deviation: float) -> int:
    """Odd side of a window that holds nearly all light of a bead, pixels."""
    return int(min(_WIDE * FWHM_PER_DEVIATION * deviation, _LARGEST_WINDOW)) | 1


def core_radius(window: int, fwhm: float) -> float:
    """Radius within which a bead must be alone, pixels; beyond it neighbours are replaced."""
    return max(_CORE_OF_WINDOW * window, _CORE_OF_WIDTH * fwhm)


def reach(window: int, fwhm: float) -> float:
    """Distance within which a neighbour's light gets into a bead's core, pixels."""
    return core_radius(window, fwhm) + fwhm


def _away_from(pixels: NDArray[np.int_], shape: tuple[int, ...], distance: float) -> Mask:
    """Pixels that no spot's light reaches; of crowded boxes those that it reaches least."""
    far = _distances(pixels, shape)
    away = np.zeros(shape, bool)
    for top in range(0, shape[0], _BOX):
        for left in range(0, shape[1], _BOX):
            box = (slice(top, top + _BOX), slice(left, left + _BOX))
            away[box] = far[box] >= min(distance, float(np.quantile(far[box], 1 - _LEAST_SHARE)))
    return away


def _distances(pixels: NDArray[np.int_], shape: tuple[int, ...]) -> Counts:
    """Distance of each pixel from the nearest of some pixels (n, 2); infinite without any."""
    from scipy.ndimage import distance_transform_edt

    if not len(pixels):
        return np.full(shape, np.inf, np.float32)
    is_spot = np.zeros(shape, bool)
    is_spot[tuple(pixels.T)] = True
    return np.asarray(distance_transform_edt(~is_spot), np.float32)
