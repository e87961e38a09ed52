"""Position, brightness and shape of each bead."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.calibration.beads.centre import centres, shapes
from napari_deepblur.calibration.beads.cut import cut

if TYPE_CHECKING:
    from pandas import DataFrame

    from napari_deepblur.calibration.beads.scene import BeadScene

__all__ = ["measure"]

#: Half of the patch in which a bead is measured, by its width σ.
_HALF_PATCH = 4.0


def measure(scene: BeadScene, points_yx: NDArray[np.float64]) -> DataFrame:
    """Measure the beads at some points.

    Parameters
    ----------
    scene
        Image of the beads.
    points_yx
        Rough positions of the beads, pixels, shape (n, 2).

    Returns
    -------
        One row for each point, in their order, with the columns y, x, peak, background, snr,
        fwhm and ellipticity.
    """
    from pandas import DataFrame

    limits = np.array(scene.image.shape) - 1
    pixels = points_yx.round().astype(int).clip(0, limits)
    half = max(2, int(np.ceil(_HALF_PATCH * scene.deviation)))
    patches = cut(scene.excess, pixels, 2 * half + 1)
    offset = centres(patches, scene.deviation, (points_yx - pixels).clip(-0.5, 0.5))
    fwhm, ellipticity = shapes(patches, offset, scene.deviation)
    positions = pixels + offset
    peak = _brightest(patches, offset, max(1.0, scene.deviation))
    row, column = positions.round().astype(int).clip(0, limits).T
    return DataFrame(
        {
            "y": positions[:, 0],
            "x": positions[:, 1],
            "peak": peak,
            "background": scene.background[row, column].astype(float),
            "snr": peak / scene.noise[row, column],
            "fwhm": fwhm,
            "ellipticity": ellipticity,
        }
    )


def _brightest(
    patches: NDArray[np.float64], offset: NDArray[np.float64], radius: float
) -> NDArray[np.float64]:
    """Brightest pixel near the middle of each bead."""
    half = patches.shape[-1] // 2
    pixels = np.arange(-half, half + 1)
    from_y = pixels - offset[:, :1]
    from_x = pixels - offset[:, 1:]
    near = np.hypot(from_y[:, :, None], from_x[:, None, :]) <= radius
    return np.asarray(patches.max((-2, -1), where=near, initial=0.0))
