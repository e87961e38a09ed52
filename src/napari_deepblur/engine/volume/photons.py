"""Counts of a camera as photons, and two independent halves of them.

The noise of a pixel has the variance a (y - z): a counts a photon, and z the counts at which
nothing is left of the noise. Both are read off the stack. In (y - z) / a the noise is that of
photons, read-out noise being taken for that of a little more background.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Photons", "halves", "photons_of"]

_N_BINS = 24

#: Where the spectrum of a plane is taken for noise alone: beyond the OTF by this factor, but never
#: below the first nor above the second frequency, cycles per pixel.
_MARGIN, _LOWEST, _HIGHEST = 1.06, 0.5, 0.62

#: The zero lies no further below the darkest of the stack than this many times its range: noise
#: that is the same everywhere is that of a large background.
_DEEPEST_ZERO = 1.0

#: At most this many photons in the brightest voxel: as good as no noise.
_MOST = 1e6

#: Standard deviation of the Gaussian that tells dark from bright places, voxels.
_SMOOTH = 1.5


@dataclass(frozen=True, slots=True)
class Photons:
    """A stack in photons.

    Attributes
    ----------
    values
        (y - zero) / gain, not negative, float32, shape (Z, Y, X).
    gain
        Counts of one photon.
    zero
        Counts without any.
    """

    values: NDArray[np.float32]
    gain: float
    zero: float

    @property
    def background(self) -> float:
        """Light of the darkest places, photons."""
        from scipy.ndimage import gaussian_filter

        smooth = gaussian_filter(self.values, _SMOOTH)
        return max(float(np.quantile(smooth, 0.001)), 1e-3)


def photons_of(stack: NDArray[np.float32], cutoff: float) -> Photons:
    """Read gain and zero off a stack, shape (Z, Y, X), and convert it.

    Parameters
    ----------
    stack
        Counts, finite, not constant.
    cutoff
        f_c of its optics, cycles per pixel.
    """
    low, high = float(stack.min()), float(stack.max())
    span = high - low
    level, variance, weight = _noise_by_brightness((stack - low) / span, cutoff)
    slope, offset = _line(level, variance, weight)
    slope = max(slope, 1 / _MOST, offset / _DEEPEST_ZERO)
    zero = low - span * offset / slope
    values = np.maximum((stack - zero) / (slope * span), 0)
    return Photons(values.astype(np.float32), slope * span, zero)


def halves(
    photons: NDArray[np.float32], *, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Two halves of photon counts with independent noise, which add up to them.

    Counts need not be whole: y B with B ~ Beta((y - 1) / 2, (y - 1) / 2) has the mean and the
    variance, given y, of the binomial thinning that splits a Poisson variable in two.
    """
    rng = np.random.default_rng(seed)
    # Near 0 a beta variable is 0 or 1, as a single photon has to be.
    shape = np.maximum((photons - 1) / 2, 0.02).astype(np.float32)
    one = rng.standard_gamma(shape, dtype=np.float32)
    other = rng.standard_gamma(shape, dtype=np.float32)
    total = one + other
    share = np.where(total > 0, one / np.maximum(total, 1e-30), np.float32(0.5))
    first = (photons * share).astype(np.float32)
    return first, photons - first


def _noise_by_brightness(
    stack: NDArray[np.float32], cutoff: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Mean brightness, noise variance and number of voxels of places alike in brightness."""
    from scipy.ndimage import gaussian_filter

    square = np.square(_beyond_the_otf(stack, cutoff)).ravel()
    smooth = gaussian_filter(stack, _SMOOTH).ravel()
    # Equal steps of brightness: equal numbers of voxels would all be dark in most stacks.
    edges = np.linspace(smooth.min(), smooth.max(), _N_BINS + 1)
    bins = np.clip(np.searchsorted(edges, smooth, side="right") - 1, 0, _N_BINS - 1)
    count = np.bincount(bins, minlength=_N_BINS).astype(float)
    used = count > 0
    level = np.bincount(bins, smooth, _N_BINS)[used] / count[used]
    variance = np.bincount(bins, square, _N_BINS)[used] / count[used]
    return level, variance, count[used]


def _beyond_the_otf(stack: NDArray[np.float32], cutoff: float) -> NDArray[np.float32]:
    """Keep of each plane what lies where the optics pass nothing: the noise, at its variance."""
    from scipy.fft import dctn, idctn

    first = min(max(_MARGIN * 2 * cutoff, _LOWEST), _HIGHEST)
    rows, columns = (np.arange(side) / (2 * side) for side in stack.shape[1:])
    beyond = np.hypot(rows[:, None], columns) > first
    # The cosine transform mirrors the plane at its border, where the Fourier transform jumps.
    spectrum = dctn(stack, axes=(1, 2), norm="ortho") * beyond
    noise = idctn(spectrum, axes=(1, 2), norm="ortho") / np.sqrt(beyond.mean())
    return np.asarray(noise, np.float32)


def _line(
    level: NDArray[np.float64], variance: NDArray[np.float64], weight: NDArray[np.float64]
) -> tuple[float, float]:
    """Slope and offset of variance = slope · level + offset; each bin by how well it is known."""
    slope, offset = 0.0, float(np.average(variance, weights=weight))
    for _ in range(3):
        expected = np.maximum(slope * level + offset, 1e-3 * variance.max() + 1e-30)
        factor = np.sqrt(weight) / expected
        design = np.stack([level, np.ones_like(level)], 1) * factor[:, None]
        slope, offset = np.linalg.lstsq(design, variance * factor, rcond=None)[0]
    return float(slope), float(offset)
