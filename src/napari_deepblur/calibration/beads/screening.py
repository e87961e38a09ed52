"""Screening of beads: which are good samples of the blur, and what is wrong with the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.calibration.beads.agreement import agreement, disc
from napari_deepblur.calibration.beads.cut import cut, cut_centred
from napari_deepblur.calibration.beads.neighbours import are_crowded, are_repeated
from napari_deepblur.calibration.beads.scene import core_radius, reach
from napari_deepblur.calibration.beads.status import BeadStatus

if TYPE_CHECKING:
    from pandas import DataFrame

    from napari_deepblur.calibration.beads.agreement import Agreement
    from napari_deepblur.calibration.beads.scene import BeadScene

__all__ = ["agreement_at", "flaws"]

#: Least peak by the noise, and by the median spot's.
_FAINTEST_SNR, _FAINTEST_OF_TYPICAL = 5.0, 0.05

#: No optics that a camera samples makes a narrower spot, pixels; nor one narrower than half
#: the others.
_NARROWEST_FWHM, _NARROWEST_OF_TYPICAL = 1.2, 0.5

#: Points along a ray from a bead's middle, by the full width at half maximum, and rays. Where
#: all points of one are brighter than this share of the middle, the light does not end there.
_ALONG_RAY, _N_RAYS, _OPEN = (1.0, 1.5, 2.0), 24, 0.5

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def flaws(
    beads: DataFrame, scene: BeadScene, *, window: int, saturation: float
) -> dict[BeadStatus, Mask]:
    """Find what is wrong with each bead by itself, without comparing shapes.

    Parameters
    ----------
    beads
        Table made by `measure`.
    scene
        Image of the beads.
    window
        Side of the patches, pixels.
    saturation
        Counts at and above which pixels are saturated.

    Returns
    -------
        For each flaw a mask over the rows; where several apply, the first one counts.
    """
    positions = beads[["y", "x"]].to_numpy(float)
    peak = beads["peak"].to_numpy()
    typical = np.median(scene.spots.peak) if len(scene.spots.peak) else 0
    narrowest = max(_NARROWEST_FWHM, _NARROWEST_OF_TYPICAL * scene.fwhm)
    return {
        BeadStatus.REPEATED: are_repeated(positions, scene.deviation),
        BeadStatus.BORDER: _reach_over_border(positions, scene.image.shape, window),
        BeadStatus.NO_DATA: _lack_data(scene, positions, window),
        BeadStatus.FAINT: (beads["snr"].to_numpy() < _FAINTEST_SNR)
        | (peak < _FAINTEST_OF_TYPICAL * typical),
        BeadStatus.HOT_PIXEL: beads["fwhm"].to_numpy() < narrowest,
        BeadStatus.SATURATED: _are_saturated(scene.image, positions, saturation, scene.fwhm),
        BeadStatus.CROWDED: are_crowded(positions, peak, scene.spots, reach(window, scene.fwhm)),
        BeadStatus.EDGE: _are_open(scene, positions),
    }


def agreement_at(scene: BeadScene, positions: Floats, *, window: int, fwhm: float) -> Agreement:
    """Compare beads of an image with what the others predict at their places.

    Parameters
    ----------
    scene
        Image of the beads.
    positions
        y, x of the beads, pixels, shape (n, 2).
    window
        Side of the patches, pixels.
    fwhm
        Typical full width at half maximum of the beads, pixels.
    """
    pixels = positions.round().astype(int)
    row, column = pixels.clip(0, np.array(scene.image.shape) - 1).T
    return agreement(
        cut_centred(scene.excess, positions, window),
        # In [-1, 1] from the first pixel's middle to the last one's.
        2 * positions / (np.array(scene.image.shape) - 1).clip(1) - 1,
        valid=_valid_pixels(scene, pixels, window),
        fwhm=fwhm,
        core=core_radius(window, fwhm),
        noise=scene.noise[row, column].astype(float),
    )


def _valid_pixels(scene: BeadScene, pixels: NDArray[np.int_], window: int) -> Mask:
    """Pixels of patches that hold data, shape (n, window, window)."""
    return cut(scene.valid.astype(np.float32), pixels, window) > 0


def _lack_data(scene: BeadScene, positions: Floats, window: int) -> Mask:
    """Beads whose core holds pixels without data."""
    core = disc(window, core_radius(window, scene.fwhm))
    valid = _valid_pixels(scene, positions.round().astype(int), window)
    return np.asarray(~valid[:, core].all(-1))


def _are_open(scene: BeadScene, positions: Floats) -> Mask:
    """Spots whose light goes on to one side, as it does along edges and lines."""
    from scipy.ndimage import gaussian_filter, map_coordinates

    smooth = gaussian_filter(scene.excess, scene.deviation / 2)
    angle = 2 * np.pi * np.arange(_N_RAYS) / _N_RAYS
    ray = scene.fwhm * np.multiply.outer([np.sin(angle), np.cos(angle)], _ALONG_RAY)
    middle = map_coordinates(smooth, positions.T, order=1, mode="nearest")
    along = map_coordinates(
        smooth, positions.T[:, :, None, None] + ray[:, None], order=1, mode="nearest"
    )
    return np.asarray(along.min(-1).max(-1) > _OPEN * middle)


def _reach_over_border(positions: Floats, shape: tuple[int, ...], window: int) -> Mask:
    pixels = positions.round()
    half = window // 2
    return np.asarray(((pixels < half) | (pixels > np.array(shape) - 1 - half)).any(-1))


def _are_saturated(
    image: NDArray[np.float32], positions: Floats, level: float, radius: float
) -> Mask:
    half = int(np.ceil(radius))
    around = cut(image, positions.round().astype(int), 2 * half + 1)
    return np.asarray((around >= level)[:, disc(2 * half + 1, radius)].any(-1))
