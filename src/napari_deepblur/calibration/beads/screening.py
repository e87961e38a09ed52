"""Which beads are good samples of the blur, and what is wrong with the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.calibration.beads.agreement import agreement, core_radius, disc
from napari_deepblur.calibration.beads.cut import cut, cut_centred
from napari_deepblur.calibration.beads.neighbours import are_crowded, are_repeated
from napari_deepblur.calibration.beads.survey import reach

if TYPE_CHECKING:
    from pandas import DataFrame

    from napari_deepblur.calibration.beads.survey import Survey

__all__ = ["are_like_the_others", "flaws", "noise_at", "to_unit_square"]

#: Least peak by the noise, and by the median spot's.
_FAINTEST_SNR, _FAINTEST_OF_TYPICAL = 5.0, 0.05

#: No optics that a camera samples makes a narrower spot, pixels; nor one narrower than half
#: the others.
_NARROWEST_FWHM, _NARROWEST_OF_TYPICAL = 1.2, 0.5

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def flaws(beads: DataFrame, seen: Survey, *, window: int, saturation: float) -> dict[str, Mask]:
    """What each bead suffers from that one can tell without knowing the others' shape.

    Parameters
    ----------
    beads
        Rows of `measure`.
    seen
        The image.
    window
        Side of the patches, pixels.
    saturation
        Counts at and above which pixels are saturated.

    Returns
    -------
        A mask over the rows by the name of the flaw; earlier names weigh more.
    """
    positions = beads[["y", "x"]].to_numpy(float)
    peak = beads["peak"].to_numpy()
    faintest = _FAINTEST_OF_TYPICAL * (np.median(seen.spots.peak) if len(seen.spots.peak) else 0)
    narrowest = max(_NARROWEST_FWHM, _NARROWEST_OF_TYPICAL * seen.fwhm)
    return {
        "repeated": are_repeated(positions, seen.deviation),
        "border": _reach_over_border(positions, seen.image.shape, window),
        "faint": (beads["snr"].to_numpy() < _FAINTEST_SNR) | (peak < faintest),
        "hot pixel": beads["fwhm"].to_numpy() < narrowest,
        "saturated": _are_saturated(seen.image, positions, saturation, seen.fwhm),
        "crowded": are_crowded(positions, peak, seen.spots, reach(window, seen.fwhm)),
    }


def are_like_the_others(positions: Floats, seen: Survey, window: int) -> Mask:
    """Whether each bead looks as those around it do: debris and clumps do not, shape (n,)."""
    return agreement(
        cut_centred(seen.excess, positions, window),
        to_unit_square(positions, seen.image.shape),
        deviation=seen.deviation,
        core=core_radius(window, seen.fwhm),
        noise=noise_at(positions, seen.noise),
    ).is_like


def to_unit_square(positions: Floats, shape: tuple[int, ...]) -> Floats:
    """Positions (n, 2) in pixels as coordinates in [-1, 1]: ±1 at the outermost pixel centres."""
    return np.asarray(2 * positions / (np.array(shape) - 1).clip(1) - 1)


def noise_at(positions: Floats, noise: NDArray[np.float32]) -> Floats:
    """Noise map read at positions (n, 2) in pixels, shape (n,)."""
    row, column = positions.round().astype(int).clip(0, np.array(noise.shape) - 1).T
    return np.asarray(noise[row, column], float)


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
