"""Beads beside beads: side lobes of one another, or too near to tell apart."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.calibration.beads.centre import FWHM_PER_DEVIATION, centres
from napari_deepblur.calibration.beads.cut import cut, cut_centred
from napari_deepblur.calibration.beads.prediction import local_median

__all__ = ["Spots", "are_crowded", "are_repeated", "without_lobes"]

#: A spot up to so many times as bright as its neighbour's PSF is there belongs to it.
_LOBE = 1.5

#: A neighbour dimmer than this, by the bead's own peak, does no harm.
_DIM_NEIGHBOUR = 0.1

#: Two positions nearer than this, by the typical full width at half maximum, are one bead.
_SAME = 0.25

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Spots(NamedTuple):
    """Detected spots.

    Attributes
    ----------
    positions
        y, x of the brightest pixels, shape (n, 2).
    peak
        Counts above background, shape (n,).
    """

    positions: Floats
    peak: Floats


def without_lobes(
    spots: Spots, excess: NDArray[np.float32], *, deviation: float, reach: float
) -> Spots:
    """Spots that are no side lobes of brighter ones, nor the same bead in pieces.

    A lobe is where neighbouring beads have one too: the median of the nearest beads, as bright
    as this one, is about as bright at the place of the lobe.

    Parameters
    ----------
    spots
        As detected.
    excess
        Counts above background, shape (Y, X).
    deviation
        Typical width σ of a bead, pixels.
    reach
        Distance from a bead within which lobes are looked for, pixels.

    Returns
    -------
        The spots kept, in their order.
    """
    if not len(spots.peak):
        return spots
    one, other = _pairs(spots.positions, spots.positions, reach)
    dimmer = spots.peak[other] < spots.peak[one]
    one, other = one[dimmer], other[dimmer]
    is_main = np.ones(len(spots.peak), bool)
    is_main[other] = False
    half = int(np.ceil(reach)) + 1
    main = spots.positions[is_main]
    main = main + centres(cut(excess, main.astype(int), 2 * half + 1), deviation)
    expected = _local_psf(excess, main, half)
    from_main = is_main[one]
    one, other = (np.cumsum(is_main) - 1)[one[from_main]], other[from_main]
    row, column = (spots.positions[other] - main[one]).round().astype(int).clip(-half, half).T
    is_lobe = np.zeros(len(spots.peak), bool)
    is_lobe[other[spots.peak[other] < _LOBE * expected[one, half + row, half + column]]] = True
    return Spots(spots.positions[~is_lobe], spots.peak[~is_lobe])


def _local_psf(excess: NDArray[np.float32], positions: Floats, half: int) -> Floats:
    """Brightest that each bead is within a pixel of every pixel, by its neighbours' median."""
    from scipy.ndimage import maximum_filter

    beads = cut_centred(excess, positions, 2 * half + 1)
    scale = beads[:, half, half].clip(np.finfo(float).eps)[:, None, None]
    return np.asarray(maximum_filter(local_median(beads / scale, positions), (1, 3, 3)) * scale)


def are_crowded(positions: Floats, peak: Floats, spots: Spots, reach: float) -> Mask:
    """Beads whose core the light of a spot other than their own reaches.

    Parameters
    ----------
    positions
        y, x of the beads, shape (n, 2).
    peak
        Counts above background, shape (n,).
    spots
        All spots of the image; a bead's own is the nearest.
    reach
        Distance at which two beads disturb each other, pixels.

    Returns
    -------
        Shape (n,).
    """
    from scipy.spatial import KDTree

    crowded = np.zeros(len(positions), bool)
    if not len(spots.peak):
        return crowded
    own = KDTree(spots.positions).query(positions)[1]
    one, other = _pairs(positions, spots.positions, reach)
    disturbs = (other != own[one]) & (spots.peak[other] > _DIM_NEIGHBOUR * peak[one])
    crowded[one[disturbs]] = True
    return crowded


def are_repeated(positions: Floats, deviation: float) -> Mask:
    """Positions that an earlier one has already, shape (n,)."""
    one, other = _pairs(positions, positions, _SAME * FWHM_PER_DEVIATION * deviation)
    repeated = np.zeros(len(positions), bool)
    repeated[other[other > one]] = True
    return repeated


def _pairs(beads: Floats, spots: Floats, reach: float) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Row of a bead and row of a spot within its reach, for all such pairs."""
    from scipy.spatial import KDTree

    near = KDTree(beads).sparse_distance_matrix(KDTree(spots), reach, output_type="ndarray")
    # Among themselves, no bead is its own neighbour.
    keep = (near["i"] != near["j"]) if beads is spots else np.ones(len(near), bool)
    return near["i"][keep], near["j"][keep]
