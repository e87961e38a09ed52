"""PSFs over the field with the noise taken out: near places are alike, and so are near pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.calibration.fit.hermite import HermiteBasis
from napari_deepblur.calibration.fit.maps import fit_maps
from napari_deepblur.calibration.fit.samples import PsfSamples
from napari_deepblur.calibration.fit.spline import FieldSpline

__all__ = ["smooth_psfs", "with_misfit"]

#: After so many rounds the weights of odd beads hardly change.
_N_ROUNDS = 3

Floats = NDArray[np.float64]


def smooth_psfs(part: PsfSamples) -> Floats:
    """Smooth the PSFs of one acquisition over the field, at their places: (n, h, w).

    Of the mean PSF the mean over each ring stays. All else, in the basis of Hermite functions,
    has for each group of orders its own smoothing over the field, from a free surface to a
    constant to nothing at all. Single beads at a peak of 20 times the noise hold as much noise
    as light; what they have in common is 25 dB better.
    """
    psfs = part.psfs.astype(np.float64)
    if not part.noise.any():
        return psfs
    spline = FieldSpline(part.field_yx, part.noise**2)
    mean = np.average(psfs, axis=0, weights=spline.weights)
    rings = _ring_means(mean)
    basis = HermiteBasis(mean)
    maps = fit_maps(spline, basis.encode(psfs - rings), basis.groups)
    return np.asarray(rings + basis.decode(maps.at(part.field_yx)))


def with_misfit(part: PsfSamples) -> PsfSamples:
    """Add to the noise of PSFs how much each deviates from the others.

    A bead that is not as the others predict counts as noisy as it deviates: so doublets and
    debris that passed for beads have little say, however bright.

    Source: iteratively reweighted least squares, P. W. Holland & R. E. Welsch, Commun. Stat. 6
    (1977).
    """
    if not part.noise.any() or len(part) < 2:
        return part
    judged = part
    for _ in range(_N_ROUNDS):
        judged = replace(part, noise=np.sqrt(np.maximum(part.noise**2, _misfit(judged))))
    return judged


def _misfit(part: PsfSamples) -> Floats:
    """Mean square of what each PSF deviates from the smooth ones, whatever its brightness."""
    smooth = smooth_psfs(part)
    psfs = part.psfs.astype(np.float64)
    brightness = (psfs * smooth).sum((-2, -1)) / np.square(smooth).sum((-2, -1))
    residual = psfs - brightness[:, None, None] * smooth
    return np.asarray(np.square(residual).mean((-2, -1)))


def _ring_means(psf: Floats) -> Floats:
    """Mean over each ring of one pixel's width; what lies beyond the window's side is one ring."""
    half = len(psf) // 2
    pixels = np.arange(-half, half + 1)
    ring = np.minimum(np.hypot(pixels[:, None], pixels).round().astype(int), half + 1)
    means = np.bincount(ring.ravel(), psf.ravel()) / np.bincount(ring.ravel())
    return np.asarray(means[ring])
