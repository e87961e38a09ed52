"""Place, brightness and shape of each bead."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.calibration.beads.centre import centres, shapes
from napari_deepblur.calibration.beads.cut import cut

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["measure"]

#: Half of the patch in which a bead is measured, by its width σ.
_HALF_PATCH = 4.0


def measure(
    image: NDArray[np.float32],
    background: NDArray[np.float32],
    noise: NDArray[np.float32],
    points_yx: NDArray[np.float64],
    deviation: float,
) -> DataFrame:
    """Bead table without status: one row for each point, in their order.

    Parameters
    ----------
    image
        Counts, shape (Y, X).
    background
        Counts, same shape.
    noise
        Standard deviation, counts, same shape.
    points_yx
        Where beads are sought, pixels, shape (n, 2).
    deviation
        Typical width σ of a bead, pixels.

    Returns
    -------
        Columns y, x, peak, background, snr, fwhm and ellipticity.
    """
    from pandas import DataFrame

    limits = np.array(image.shape) - 1
    pixels = points_yx.round().astype(int).clip(0, limits)
    half = max(2, int(np.ceil(_HALF_PATCH * deviation)))
    patches = cut(image - background, pixels, 2 * half + 1)
    offset = centres(patches, deviation, (points_yx - pixels).clip(-0.5, 0.5))
    fwhm, ellipticity = shapes(patches, offset, deviation)
    positions = pixels + offset
    peak = _brightest(patches, offset, max(1.0, deviation))
    row, column = positions.round().astype(int).clip(0, limits).T
    return DataFrame(
        {
            "y": positions[:, 0],
            "x": positions[:, 1],
            "peak": peak,
            "background": background[row, column].astype(float),
            "snr": peak / noise[row, column],
            "fwhm": fwhm,
            "ellipticity": ellipticity,
        }
    )


def _brightest(
    patches: NDArray[np.float64], offset: NDArray[np.float64], radius: float
) -> NDArray[np.float64]:
    """Brightest pixel near each bead's middle."""
    half = patches.shape[-1] // 2
    pixels = np.arange(-half, half + 1)
    from_y = pixels - offset[:, :1]
    from_x = pixels - offset[:, 1:]
    near = np.hypot(from_y[:, :, None], from_x[:, None, :]) <= radius
    return np.asarray(patches.max((-2, -1), where=near, initial=0.0))
