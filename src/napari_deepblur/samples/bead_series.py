"""Beads photographed again and again while the microscope drifts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.calibration.beads.centre import centres
from napari_deepblur.optics.field import field_grid, to_field
from napari_deepblur.samples.drawing import moved
from napari_deepblur.samples.sample import CAMERA_OFFSET

__all__ = ["BeadSeries", "draw_bead_series"]

_CUTOFF = 0.25
_WINDOW, _MARGIN = 25, 8

#: Width of the Gaussian whose fit says where the middle of a PSF is, pixels.
_CENTRING_DEVIATION = 1.0

#: Noll modes: defocus drifts, astigmatism and coma grow towards the field's border.
_MODES = (4, 5, 6, 7, 8)
_ASTIGMATISM, _COMA = 0.05, 0.04

#: Defocus at the beginning, how far it drifts, waves RMS, and how fast, acquisitions.
_DEFOCUS, _DRIFT, _TIME = 0.02, 0.12, 2.0

_BACKGROUND = 400.0

#: Of an even grid's step, how far beads lie off it.
_DISORDER = 0.2

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BeadSeries:
    """Acquisitions of one field of beads with their truth.

    Attributes
    ----------
    images
        Counts, float32, shape (T, Y, X).
    positions
        y, x of the beads, pixels, shape (n, 2).
    defocus
        True defocus of each acquisition, waves RMS, shape (T,).
    """

    images: NDArray[np.float32]
    positions: Floats
    defocus: Floats

    def psf(self, position_yx: tuple[float, float], acquisition: int) -> Floats:
        """Compute the true PSF at a pixel, centred as beads are, sum 1, shape (25, 25)."""
        field_yx = to_field([position_yx], self.images.shape[1:])
        psf = _psfs(field_yx, float(self.defocus[acquisition]))[0]
        return np.asarray(psf / psf.sum())


def draw_bead_series(
    *,
    n_times: int = 6,
    shape: tuple[int, int] = (1024, 1024),
    n_beads: int = 144,
    peak_snr: float = 50.0,
    seed: int = 0,
) -> BeadSeries:
    """Photograph one field of beads while defocus approaches a new value exponentially.

    The pupil has a cutoff of 0.25; astigmatism grows with the square of the distance from the
    field's centre and coma with the distance.

    Parameters
    ----------
    n_times
        Number of time points, T.
    shape
        Y, X.
    n_beads
        Beads, on a disturbed grid, so that each is alone; a square number.
    peak_snr
        Brightest pixel of a sharp bead, above the background, by the noise of the background.
    seed
        Seed of everything random.
    """
    rng = np.random.default_rng(seed)
    side = round(n_beads**0.5)
    grid = field_grid(side, side)
    field_yx = grid + rng.uniform(-_DISORDER, _DISORDER, grid.shape) * 2 / side
    positions = ((field_yx + 1) * np.array(shape) - 1) / 2
    defocus = _DEFOCUS + _DRIFT * (1 - np.exp(-np.arange(n_times) / _TIME))
    flux = peak_snr * _BACKGROUND**0.5 / _psfs(np.zeros((1, 2)), 0.0).max()
    images = []
    for one in defocus:
        light = np.full(shape, _BACKGROUND)
        for position, psf in zip(positions, _psfs(field_yx, float(one)), strict=True):
            _add(light, position, flux * psf)
        images.append(rng.poisson(light.clip(0)) + CAMERA_OFFSET)
    return BeadSeries(np.array(images, np.float32), positions, defocus)


def _psfs(field_yx: Floats, defocus: float) -> Floats:
    """PSFs at field coordinates (n, 2), shape (n, 25, 25)."""
    import torch

    from napari_deepblur.optics.pupil import Pupil

    y, x = field_yx.T
    coefficients = np.stack(
        [
            np.full_like(y, defocus),
            2 * _ASTIGMATISM * y * x,
            _ASTIGMATISM * (x**2 - y**2),
            _COMA * y,
            _COMA * x,
        ],
        -1,
    )
    pupil = Pupil(_MODES, cutoff=_CUTOFF, window=_WINDOW + 2 * _MARGIN)
    psfs = pupil.psf(torch.from_numpy(coefficients)).double().numpy()
    # Where a bead is, only its image tells: comatic PSFs are centred as beads will be.
    middle = centres(psfs, _CENTRING_DEVIATION)
    psfs = np.stack([moved(psf, -shift) for psf, shift in zip(psfs, middle, strict=True)])
    return np.asarray(psfs[:, _MARGIN:-_MARGIN, _MARGIN:-_MARGIN])


def _add(light: Floats, position: Floats, bead: Floats) -> None:
    """Add a bead at a position between pixels, in place."""
    pixel = position.round().astype(int)
    there = moved(bead, position - pixel)
    half = len(bead) // 2
    low = np.maximum(pixel - half, 0)
    high = np.minimum(pixel + half + 1, light.shape)
    inner = tuple(
        slice(*edge) for edge in zip(low - pixel + half, high - pixel + half, strict=True)
    )
    light[tuple(slice(*edge) for edge in zip(low, high, strict=True))] += there[inner]
