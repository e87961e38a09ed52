"""Search for the beads of an image: a table of them, with what is wrong with each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.calibration.beads.measure import measure
from napari_deepblur.calibration.beads.neighbours import are_crowded, are_repeated
from napari_deepblur.calibration.beads.saturation import saturation_level
from napari_deepblur.calibration.beads.scene import reach, widest_window
from napari_deepblur.calibration.beads.screening import agreement_at, flaws
from napari_deepblur.calibration.beads.status import BeadStatus

if TYPE_CHECKING:
    from pandas import DataFrame

    from napari_deepblur.calibration.beads.scene import BeadScene

__all__ = ["choose_window", "find_beads"]

#: Least side of a window, in pixels and by the typical full width at half maximum.
_SMALLEST_WINDOW, _NARROW = 9, 4

#: Share of the beads alone in the narrowest window that must be alone in the chosen one.
_STILL_ALONE = 0.6


def find_beads(
    scene: BeadScene,
    *,
    window: int = 31,
    saturation: float | None = None,
    positions: NDArray[np.float64] | None = None,
) -> DataFrame:
    """Find the beads in an image and say what is wrong with those that cannot be used.

    Spots are found in scale space, centred by the fit of a Gaussian as wide as the typical one,
    and screened: by themselves, by their neighbours in the image, and by their likeness to what
    the others predict at their place. The blur changes over the field, so a bead is compared
    with a smooth prediction and not with one mean bead.

    The status of a bead is "used", or the first of these that is true:

    - "repeated": an earlier row is the same bead (given positions only);
    - "border": its window does not fit into the image;
    - "no data": pixels of its core hold no data, or lie in a faulty row or column;
    - "faint": its peak is below 5 times the noise, or 5 % of the median spot's;
    - "hot pixel": narrower than 1.2 pixels or half the typical spot, as no blur is;
    - "saturated": a pixel within its full width at half maximum is at the saturation level;
    - "crowded": a neighbour of a tenth of its brightness or more reaches into its core, the
      disc of a quarter window (at least the typical full width at half maximum) around it;
    - "edge or line": in some direction its light stays above half of its middle for two full
      widths at half maximum;
    - "unlike the others": debris, doublets and clumps.

    Parameters
    ----------
    scene
        Image of the beads.
    window
        Side of the patch around each bead in pixels, odd; `choose_window` proposes one.
    saturation
        Counts at and above which pixels are saturated. By default the largest count of the
        image if many pixels share it.
    positions
        y, x in pixels, shape (n, 2), of beads that are known; by default they are searched.
        Known beads are refined and screened alike, but never "unlike the others".

    Returns
    -------
        One row for each bead, or for each position in their order: y, x (pixels), peak (counts
        above background), background (counts), snr (peak by the standard deviation of the
        background), fwhm (pixels, geometric mean of both axes), ellipticity (1 - short / long
        axis, 0 for a round bead) and status, a `BeadStatus`.

    Raises
    ------
    ValueError
        If the window is even or smaller than 5, or the positions are no points of a plane.
    """
    if window < 5 or window % 2 == 0:
        raise ValueError(f"window must be odd and at least 5 pixels, got {window}")
    beads = measure(scene, scene.spots.positions if positions is None else _points(positions))
    if positions is None:
        again = are_repeated(beads[["y", "x"]].to_numpy(float), scene.deviation)
        beads = beads[~again].reset_index(drop=True)
    level = saturation_level(scene.image[scene.valid]) if saturation is None else saturation
    status = np.full(len(beads), BeadStatus.USED.value, dtype=object)
    for flaw, has_it in flaws(beads, scene, window=window, saturation=level).items():
        status[has_it & (status == BeadStatus.USED)] = flaw.value
    used = np.flatnonzero(status == BeadStatus.USED)
    if positions is None and len(used):
        found = beads[["y", "x"]].to_numpy(float)[used]
        is_like = agreement_at(scene, found, window=window, fwhm=scene.fwhm).is_like
        status[used[~is_like]] = BeadStatus.UNLIKE.value
    return beads.assign(status=status)


def choose_window(scene: BeadScene) -> int:
    """Choose a window that shows as much of the blur as the density of the beads allows.

    From 14 times the typical full width at half maximum, which holds 97 % of the light of a
    diffraction-limited bead, down to 4 times where otherwise more than two fifths of the beads
    would be crowded; between 9 and 63.

    Parameters
    ----------
    scene
        Image of the beads.

    Returns
    -------
        Side in pixels, odd.
    """
    low = max(int(_NARROW * scene.fwhm), _SMALLEST_WINDOW) | 1
    high = min(widest_window(scene.deviation), min(scene.image.shape) // 2)
    windows = np.arange(low, max(low, high) + 1, 2)
    alone = [
        np.count_nonzero(~are_crowded(*scene.spots, scene.spots, reach(int(side), scene.fwhm)))
        for side in windows
    ]
    return int(windows[np.asarray(alone) >= _STILL_ALONE * alone[0]].max())


def _points(positions: NDArray[np.float64]) -> NDArray[np.float64]:
    points = np.asarray(positions, float).reshape(-1, 2) if np.size(positions) == 0 else positions
    points = np.asarray(points, float)
    if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
        raise ValueError(f"expected finite positions of shape (n, 2), got {points.shape}")
    return points
