"""Beads cut out of an image, centred, of sum 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.calibration.beads.agreement import agreement, core_radius
from napari_deepblur.calibration.beads.background import background_and_noise
from napari_deepblur.calibration.beads.centre import FWHM_PER_DEVIATION
from napari_deepblur.calibration.beads.cut import cut_centred
from napari_deepblur.calibration.beads.screening import noise_at, to_unit_square

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["cut_patches"]


def cut_patches(
    image: NDArray[np.float32], beads: DataFrame, *, window: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Patches of beads, centred and normalised: samples of the PSF.

    Parameters
    ----------
    image
        Counts, shape (Y, X).
    beads
        Rows of `find_beads` to cut; y, x and fwhm are read.
    window
        Side of the patches in pixels, odd.

    Returns
    -------
    patches
        Shape (n, window, window).
    noise
        Standard deviation of the background's noise in each patch, shape (n,).
    """
    image = np.asarray(image, np.float32)
    if beads.empty:
        return np.zeros((0, window, window), np.float32), np.zeros(0, np.float32)
    positions = beads[["y", "x"]].to_numpy(float)
    fwhm = float(beads["fwhm"].median())
    background, noise = background_and_noise(image, window)
    patches = cut_centred(image - background, positions, window)
    found = agreement(
        patches,
        to_unit_square(positions, image.shape),
        deviation=fwhm / FWHM_PER_DEVIATION,
        core=core_radius(window, fwhm),
        noise=noise_at(positions, noise),
    )
    return found.patches.astype(np.float32), found.noise.astype(np.float32)
