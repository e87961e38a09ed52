"""Patches of beads: centred, normalised samples of the PSF, with their noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.calibration.beads.cut import cut
from napari_deepblur.calibration.beads.screening import agreement_at

if TYPE_CHECKING:
    from pandas import DataFrame

    from napari_deepblur.calibration.beads.scene import BeadScene

__all__ = ["BeadPatches", "Pedestal", "cut_patches"]

#: Width of the ring around a window in which the background is read again, by the window.
_RING = 0.25

#: Pixels that the ring needs.
_FEWEST_PIXELS = 50


@dataclass(frozen=True, slots=True)
class Pedestal:
    """Level around each bead above the background that was subtracted from it.

    Attributes
    ----------
    level
        In units of the normalised PSF, shape (n,): 0 where the background is right, and where
        the ring around the window cannot be read.
    noise
        Standard error of the level, shape (n,).
    n_pixels
        Pixels of a window.
    """

    level: NDArray[np.float64]
    noise: NDArray[np.float64]
    n_pixels: int

    @property
    def light(self) -> NDArray[np.float64]:
        """Light that the pedestal adds to each window, by the bead's own, shape (n,)."""
        return np.asarray(self.level * self.n_pixels)

    @property
    def energy(self) -> NDArray[np.float64]:
        """Sum of the pedestal's squares over each window, chance taken off, shape (n,)."""
        return np.asarray((self.level**2 - self.noise**2) * self.n_pixels)

    @property
    def certain_energy(self) -> NDArray[np.float64]:
        """Energy beyond three standard errors, shape (n,)."""
        return np.asarray((self.level**2 - 9 * self.noise**2).clip(0) * self.n_pixels)


class BeadPatches(NamedTuple):
    """Beads as samples of the PSF.

    Attributes
    ----------
    psfs
        Normalised patches, shape (n, window, window).
    noise
        Standard deviation of the noise in each patch's pixels, shape (n,).
    pedestal
        What is left of the background around each bead.
    """

    psfs: NDArray[np.float32]
    noise: NDArray[np.float32]
    pedestal: Pedestal


def cut_patches(scene: BeadScene, beads: DataFrame, *, window: int) -> BeadPatches:
    """Cut beads out of an image, centre and normalise them.

    Parameters
    ----------
    scene
        Image of the beads.
    beads
        Rows of `find_beads` to cut; y, x and fwhm are read.
    window
        Side of the patches in pixels, odd.
    """
    if beads.empty:
        none = np.zeros(0)
        psfs = np.zeros((0, window, window), np.float32)
        return BeadPatches(psfs, none.astype(np.float32), Pedestal(none, none, window**2))
    positions = beads[["y", "x"]].to_numpy(float)
    found = agreement_at(scene, positions, window=window, fwhm=float(beads["fwhm"].median()))
    level, error = _ring_levels(scene, positions, window)
    known = np.isfinite(error)
    pedestal = Pedestal(
        np.where(known, level - found.level, 0) / found.amplitude,
        np.where(known, error, 0) / found.amplitude,
        window**2,
    )
    return BeadPatches(found.patches.astype(np.float32), found.noise.astype(np.float32), pedestal)


def _ring_levels(
    scene: BeadScene, positions: NDArray[np.float64], window: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Measure the counts above background around each window; unknown errors are infinite.

    Pixels in the window of another bead are not read.
    """
    half = window // 2 + 1 + round(_RING * window)
    offset = np.arange(-half, half + 1)
    ring = np.maximum(np.abs(offset[:, None]), np.abs(offset)) > window // 2 + 1
    pixels = positions.round().astype(int)
    usable = scene.surroundings(window / 2).astype(np.float32)
    counts = (cut(usable, pixels, len(offset)) > 0) & ring
    # Mirrored pixels beyond the border would count twice.
    inside = [
        (pixels[:, axis, None] + offset >= 0) & (pixels[:, axis, None] + offset < side)
        for axis, side in enumerate(scene.image.shape)
    ]
    counts &= inside[0][:, :, None] & inside[1][:, None, :]
    around = np.where(counts, cut(scene.excess, pixels, len(offset)), np.nan)
    n = counts.sum((-2, -1))
    enough = n >= _FEWEST_PIXELS
    level, error = np.zeros(len(n)), np.full(len(n), np.inf)
    flat = around[enough].reshape(np.count_nonzero(enough), -1)
    middle = np.nanmedian(flat, 1, keepdims=True)
    far = 3 * 1.4826 * np.nanmedian(np.abs(flat - middle), 1, keepdims=True)
    flat = np.where(np.abs(flat - middle) <= far, flat, np.nan)
    level[enough] = np.nanmean(flat, 1)
    error[enough] = np.nanstd(flat, 1) / np.sqrt(np.isfinite(flat).sum(1))
    return level, error
