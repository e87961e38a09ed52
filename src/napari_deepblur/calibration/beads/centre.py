"""Centre of a bead to a fraction of a pixel, its width and its roundness.

Source of the shape: G. M. Bernstein and M. Jarvis, "Shapes and shears, stars and smears",
Astron. J. 123, 583 (2002): adaptive moments, which are those of the elliptical Gaussian that
fits best.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["FWHM_PER_DEVIATION", "centres", "shapes"]

#: Full width at half maximum of a Gaussian by its standard deviation.
FWHM_PER_DEVIATION = float(2 * np.sqrt(2 * np.log(2)))

_MOST_STEPS = 60
_CLOSE_ENOUGH = 1e-4

#: Longest step of the search, by the width of the Gaussian.
_LONGEST_STEP = 1.0

#: Shapes are searched between these widths, by the typical one.
_NARROWEST, _WIDEST = 0.2, 2.5

#: Beads are smoothed by a Gaussian this wide at least before their shape is measured, pixels.
_LEAST_SMOOTHING = 1.0

Floats = NDArray[np.float64]


def centres(patches: Floats, deviation: float, start: Floats | None = None) -> Floats:
    """Peak of each bead smoothed by a Gaussian: the least-squares fit of that Gaussian.

    The same definition for round, elongated and comatic beads: c solves
    Σ (x - c) exp(-|x - c|² / 2σ²) p(x) = 0. Light beyond 3 σ has no say, nor has a constant
    background that is not quite subtracted. Found by mean shift, at twice its step, which
    converges at once for a Gaussian of the same width.

    Parameters
    ----------
    patches
        Beads above background, shape (n, window, window).
    deviation
        σ in pixels; best that of the beads themselves.
    start
        First guess as y, x from the middle pixel, shape (n, 2); the middle by default.

    Returns
    -------
        y, x from the middle pixel, shape (n, 2), inside the window.
    """
    half = patches.shape[-1] // 2
    pixels = np.arange(-half, half + 1.0)
    centre = np.zeros((len(patches), 2)) if start is None else start.astype(float)
    for _ in range(_MOST_STEPS):
        from_y, from_x = pixels - centre[:, :1], pixels - centre[:, 1:]
        weight_y, weight_x = (np.exp(-((d / deviation) ** 2) / 2) for d in (from_y, from_x))
        along_y = np.einsum("nyx,nx->ny", patches, weight_x)
        total = (weight_y * along_y).sum(-1)
        along_x = np.einsum("nyx,ny->nx", patches, weight_y)
        moments = np.stack(
            [(weight_y * from_y * along_y).sum(-1), (weight_x * from_x * along_x).sum(-1)], -1
        )
        # Where noise leaves no light there is no centre to walk to.
        shift = np.divide(2 * moments, total[:, None], where=total[:, None] > 0, out=0 * moments)
        longest = _LONGEST_STEP * deviation
        centre = np.clip(centre + shift.clip(-longest, longest), -half, half)
        if np.abs(shift).max(initial=0) < _CLOSE_ENOUGH:
            break
    return centre


def shapes(patches: Floats, centre: Floats, deviation: float) -> tuple[Floats, Floats]:
    """Width and ellipticity of each bead by its adaptive moments.

    Parameters
    ----------
    patches
        Beads above background, shape (n, window, window).
    centre
        y, x from the middle pixel, shape (n, 2).
    deviation
        Typical σ in pixels, where the search begins.

    Returns
    -------
    fwhm
        Geometric mean of the two axes' full widths at half maximum, pixels, shape (n,).
    ellipticity
        1 - short / long axis, 0 for a round bead, shape (n,).
    """
    from scipy.ndimage import gaussian_filter

    half = patches.shape[-1] // 2
    pixels = np.arange(-half, half + 1.0)
    from_y, from_x = pixels - centre[:, :1], pixels - centre[:, 1:]
    # Smoothed, a bead's width spans enough pixels for noise not to make it a needle.
    smoothing = max(deviation, _LEAST_SMOOTHING)
    smooth = gaussian_filter(patches, (0, smoothing, smoothing))
    low, high = (smoothing**2 + (limit * deviation) ** 2 for limit in (_NARROWEST, _WIDEST))
    covariance = np.tile((smoothing**2 + deviation**2) * np.eye(2), (len(patches), 1, 1))
    moving = np.arange(len(patches))
    for _ in range(_MOST_STEPS):
        now = covariance[moving]
        new = _held(_moments(smooth[moving], from_y[moving], from_x[moving], now), low, high)
        covariance[moving] = new
        moving = moving[np.abs(new - now).max((-2, -1)) > _CLOSE_ENOUGH * deviation**2]
        if not len(moving):
            break
    short, long = np.sqrt(np.linalg.eigvalsh(covariance) - smoothing**2).T
    return FWHM_PER_DEVIATION * np.sqrt(short * long), 1 - short / long


def _moments(patches: Floats, from_y: Floats, from_x: Floats, covariance: Floats) -> Floats:
    """Twice the second moments under elliptical weights: those of a Gaussian under its own."""
    inverse = np.linalg.inv(covariance)[..., None, None]
    y, x = from_y[:, :, None], from_x[:, None, :]
    distance = inverse[:, 0, 0] * y**2 + inverse[:, 1, 1] * x**2 + 2 * inverse[:, 0, 1] * y * x
    light = np.exp(-distance / 2) * patches
    total = light.sum((-2, -1))
    # Where noise leaves no light there is no shape either.
    total[total <= 0] = np.inf
    along_y, along_x = light.sum(-1), light.sum(-2)
    yy, xx = (along_y * from_y**2).sum(-1), (along_x * from_x**2).sum(-1)
    yx = np.einsum("nyx,ny,nx->n", light, from_y, from_x)
    moments = 2 * np.stack([np.stack([yy, yx], -1), np.stack([yx, xx], -1)], -2)
    return np.asarray(moments / total[:, None, None])


def _held(covariance: Floats, low: float, high: float) -> Floats:
    """Both axes held between the narrowest and the widest, so that noise cannot run away."""
    values, vectors = np.linalg.eigh(covariance)
    held = vectors * values.clip(low, high)[:, None, :]
    return np.asarray(held @ np.swapaxes(vectors, -1, -2))
