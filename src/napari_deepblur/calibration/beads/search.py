"""Beads of an image: where they are, how they look, and which of them can be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.calibration.beads.measure import measure
from napari_deepblur.calibration.beads.neighbours import are_crowded, are_repeated
from napari_deepblur.calibration.beads.saturation import saturation_level
from napari_deepblur.calibration.beads.screening import are_like_the_others, flaws
from napari_deepblur.calibration.beads.survey import reach, survey
from napari_deepblur.errors import ImageError

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["choose_window", "find_beads"]

_SMALLEST_WINDOW, _LARGEST_WINDOW = 9, 63

#: Windows that are considered, by the typical full width at half maximum.
_NARROW, _WIDE = 4, 14

#: Share of the beads alone in the narrowest window that must be alone in the chosen one.
_STILL_ALONE = 0.6


def find_beads(
    image: NDArray[np.float32],
    *,
    window: int = 31,
    saturation: float | None = None,
    positions: NDArray[np.float64] | None = None,
) -> DataFrame:
    """Table of the beads in an image, with what is wrong with those that cannot be used.

    Spots are found in scale space, centred by the fit of a Gaussian as wide as the typical one,
    and screened: by themselves, by their neighbours in the image, and by their likeness to what
    the others predict at their place. The blur changes over the field, so a bead is compared
    with a smooth prediction and not with one mean bead.

    The status of a bead is "used", or the first of these that is true:

    - "repeated": an earlier row is the same bead (given positions only);
    - "border": its window does not fit into the image;
    - "faint": its peak is below 5 times the noise, or 5 % of the median spot's;
    - "hot pixel": narrower than 1.2 pixels or half the typical spot, as no blur is;
    - "saturated": a pixel within its full width at half maximum is at the saturation level;
    - "crowded": a neighbour of a tenth of its brightness or more reaches into its core, the
      disc of a quarter window (at least the typical full width at half maximum) around it;
    - "unlike the others": debris, doublets and clumps.

    Parameters
    ----------
    image
        Counts, finite, shape (Y, X).
    window
        Side of the patch around each bead in pixels, odd; `choose_window` proposes one.
    saturation
        Counts at and above which pixels are saturated. By default the largest count of the
        image if many pixels share it.
    positions
        y, x in pixels, shape (n, 2): where beads are instead of where they would be found.
        They are refined and screened alike, but never "unlike the others"; one row for each,
        in their order.

    Returns
    -------
        One row for each bead: y, x (pixels), peak (counts above background), background
        (counts), snr (peak by the standard deviation of the background), fwhm (pixels,
        geometric mean of both axes), ellipticity (1 - short / long axis, 0 for a round bead)
        and status. No rows if there are no beads.

    Raises
    ------
    ImageError
        If the image is no finite plane.
    ValueError
        If the window is even or smaller than 5, or the positions are no points of a plane.
    """
    image = _plane(image)
    if window < 5 or window % 2 == 0:
        raise ValueError(f"window must be odd and at least 5 pixels, got {window}")
    seen = survey(image, window)
    where = seen.spots.positions if positions is None else _points(positions)
    beads = measure(image, seen.background, seen.noise, where, seen.deviation)
    if positions is None:
        again = are_repeated(beads[["y", "x"]].to_numpy(float), seen.deviation)
        beads = beads[~again].reset_index(drop=True)
    level = saturation_level(image) if saturation is None else saturation
    status = np.full(len(beads), "used", dtype=object)
    for flaw, has_it in flaws(beads, seen, window=window, saturation=level).items():
        status[has_it & (status == "used")] = flaw
    used = np.flatnonzero(status == "used")
    if positions is None and len(used):
        is_like = are_like_the_others(beads[["y", "x"]].to_numpy(float)[used], seen, window)
        status[used[~is_like]] = "unlike the others"
    return beads.assign(status=status)


def choose_window(image: NDArray[np.float32]) -> int:
    """Odd side of a patch that shows as much of the blur as the beads' density allows, pixels.

    From 14 times the typical full width at half maximum, which holds 97 % of the light of a
    diffraction-limited bead, down to 4 times where otherwise more than two fifths of the beads
    would be crowded; between 9 and 63.

    Parameters
    ----------
    image
        Counts, finite, shape (Y, X).

    Returns
    -------
        Pixels.

    Raises
    ------
    ImageError
        If the image is no finite plane.
    """
    image = _plane(image)
    seen = survey(image, _LARGEST_WINDOW // 2)
    low, high = (np.array([_NARROW, _WIDE]) * seen.fwhm).clip(_SMALLEST_WINDOW, _LARGEST_WINDOW)
    low = int(low) | 1
    windows = np.arange(low, max(low, min(int(high), min(image.shape) // 2)) + 1, 2)
    alone = [
        np.count_nonzero(~are_crowded(*seen.spots, seen.spots, reach(int(side), seen.fwhm)))
        for side in windows
    ]
    return int(windows[np.asarray(alone) >= _STILL_ALONE * alone[0]].max())


def _points(positions: NDArray[np.float64]) -> NDArray[np.float64]:
    points = np.asarray(positions, float).reshape(-1, 2) if np.size(positions) == 0 else positions
    points = np.asarray(points, float)
    if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
        raise ValueError(f"expected finite positions of shape (n, 2), got {points.shape}")
    return points


def _plane(image: NDArray[np.float32]) -> NDArray[np.float32]:
    image = np.asarray(image, np.float32)
    if image.ndim != 2 or image.size == 0:
        raise ImageError(f"expected one plane of beads (Y, X), got an image of shape {image.shape}")
    if not np.isfinite(image).all():
        raise ImageError("the bead image has pixels that are not finite")
    return image
