"""Estimate the noise of a plane from the frequencies that its optics do not pass.

Light ends at 2 f_c, so beyond lies noise alone, and the noise of each pixel adds its variance to
every frequency. The power there, in windows over the plane, is therefore the local variance; that
it grows with the local brightness tells shot noise from noise that is alike everywhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.hot_pixels import without_hot_pixels
from napari_deepblur.engine.smoothing import gaussian_mean

__all__ = ["NoiseModel", "NoiseReading", "noise_deviation", "noise_model"]

#: Side of the windows whose spectra are averaged, pixels.
_WINDOW = 32

#: Where reading begins, by the end of the OTF: a window spreads each frequency over some bins.
_MARGIN = 1.06

#: Where reading begins at the lowest, cycles per pixel: below, windows leak coarse structure of
#: the brightest images; and at the highest: above, too few bins are left.
_LOWEST, _HIGHEST = 0.4, 0.66

#: Rows of windows that are transformed at once.
_ROWS = 16

#: Least answer by the range of the plane: that of single precision.
_RESOLUTION = float(np.finfo(np.float32).eps)

#: Slope of variance over brightness by its standard error above which noise is taken for shot
#: noise. Of noise alike everywhere the highest of 112 readings of held-out images is 2.4; with
#: half of the variance shot noise the lowest is 5.9.
_SIGNIFICANT = 4.0

#: Deviations, by their usual size, up to which windows count in full in the fit.
_HUBER = 2.0
_FIT_ITERATIONS = 20

#: Least variance in the fit by the mean one.
_LEAST_SHARE = 0.02

#: Photons a pixel below which their noise is taken as that of so many: so few do not scatter as
#: the normal distribution does, and single ones would stand out of nearly no noise.
_FEW_PHOTONS = 0.5

#: Standard deviation of the Gaussian mean that brightness is read from, in units of 1 / cutoff.
_SMOOTHING = 0.75
_USUAL_CUTOFF = 0.25


@dataclass(frozen=True, slots=True)
class NoiseModel:
    """Variance of a plane's noise as a straight line over its brightness.

    Attributes
    ----------
    deviation
        Root mean square of the noise over the plane, in the plane's unit.
    gain
        Growth of the variance with brightness: of a camera, counts per photon. 0 where the
        noise is the same everywhere.
    dark
        Brightness of the darkest places.
    dark_variance
        Variance there: read-out noise, and shot noise of the background.
    """

    deviation: float
    gain: float = 0.0
    dark: float = 0.0
    dark_variance: float = 0.0

    @property
    def varies(self) -> bool:
        """True if the noise depends on the brightness."""
        return self.gain > 0

    def map(self, plane: NDArray[np.float32], cutoff: float | None = None) -> NDArray[np.float32]:
        """Compute the standard deviation of the noise at each pixel.

        Parameters
        ----------
        plane
            Image that the model was read from, shape (Y, X), without hot pixels.
        cutoff
            f_c of its optics, cycles per pixel; the brightness is a mean over that blur.

        Returns
        -------
            Shape (Y, X), in the plane's unit.
        """
        if not self.varies:
            return np.full(plane.shape, self.deviation, np.float32)
        smooth = gaussian_mean(plane, _width(cutoff))
        variance = self.gain * (smooth - np.float32(self.dark)) + self.dark_variance
        deviation: NDArray[np.float32] = np.sqrt(variance.clip(_FEW_PHOTONS * self.gain**2))
        return deviation.astype(np.float32)

    def reach(self, cutoff: float | None = None) -> int:
        """Distance to which the noise of a pixel depends on its surroundings, pixels."""
        return math.ceil(4 * _width(cutoff)) + 1


def _width(cutoff: float | None) -> float:
    """Compute the standard deviation of the Gaussian that brightness is read with, pixels."""
    return _SMOOTHING / (cutoff or _USUAL_CUTOFF)


def noise_deviation(
    plane: NDArray[np.float32],
    cutoff: float | None = None,
    valid: NDArray[np.bool_] | None = None,
) -> float:
    """Root mean square of a plane's noise.

    The mean power beyond the OTF is the mean variance over the plane, shot noise of bright and
    read-out noise of dark places together: σ = (⟨|F(w y)|²⟩ / Σ w²)^½ with Hann windows w,
    overlapping by half, without their means (`PowerSpectrum`). Hot pixels are repaired first, as
    they too are white; those that stay count as noise.

    Above f_c = 0.31 the light reaches into the last bins. On blurred natural images this adds
    about 0.0002 of the maximum to a noiseless image at 0.35, 0.001 at 0.4 and 0.002 at 0.5.
    Noise that a camera or program has smoothed is read too low.

    Parameters
    ----------
    plane
        Shape (Y, X), sides of 32 or more, finite.
    cutoff
        f_c of its optics, cycles per pixel. None if unknown: only the corners of the spectrum
        are read then, as above 0.31.
    valid
        Where the plane holds data, same shape; by default everywhere. Other windows are not read.

    Returns
    -------
        In the plane's unit: f(a y + b) = |a| f(y) to rounding. Positive, but 0 if all pixels
        but hot ones are equal.

    Raises
    ------
    ValueError
        If the plane is smaller than a window.
    """
    return noise_model(without_hot_pixels(plane), cutoff, valid).deviation


def noise_model(
    plane: NDArray[np.float32],
    cutoff: float | None = None,
    valid: NDArray[np.bool_] | None = None,
) -> NoiseModel:
    """Read the noise of a plane and how it grows with brightness.

    Expected power of a window beyond the OTF is Σ w² σ² / Σ w², its brightness Σ w² y / Σ w²:
    where σ² = gain · y + const, one is a straight line over the other, whatever is in the window.
    The line is fitted by reweighted least squares (powers scatter in proportion to their mean),
    with Huber's weights against windows that hold more than noise.

    Parameters
    ----------
    plane
        Shape (Y, X), without hot pixels: they too are white, and would count as noise.
    cutoff, valid
        As for `noise_deviation`.

    Raises
    ------
    ValueError
        If the plane is smaller than a window.
    """
    reading = NoiseReading(cutoff)
    reading.add(plane, valid)
    return reading.model()


class NoiseReading:
    """Noise of a plane that is looked through in bands.

    Parameters
    ----------
    cutoff
        f_c of its optics, cycles per pixel; None if unknown.
    """

    #: Rows by which each band must overlap the one before.
    overlap = _WINDOW // 2

    def __init__(self, cutoff: float | None) -> None:
        self._cutoff = cutoff
        self._lowest, self._highest = np.inf, -np.inf
        self._windows: list[tuple[NDArray[np.float64], ...]] = []

    def add(self, plane: NDArray[np.float32], valid: NDArray[np.bool_] | None = None) -> None:
        """Read a band; it begins at a multiple of `overlap`.

        Raises
        ------
        ValueError
            If it is smaller than a window.
        """
        if min(plane.shape) < _WINDOW:
            raise ValueError(f"expected sides of {_WINDOW} pixels or more, got {plane.shape}")
        lowest, highest = float(plane.min()), float(plane.max())
        span = (highest - lowest) or 1.0
        brightness, power, share = _windows((plane - plane.min()) / span, self._cutoff, valid)
        self._windows.append((lowest + span * brightness, span**2 * power, share))
        self._lowest, self._highest = min(self._lowest, lowest), max(self._highest, highest)

    def model(self) -> NoiseModel:
        """Fit what was read."""
        lowest, span = self._lowest, self._highest - self._lowest
        if span == 0:
            return NoiseModel(0.0)
        brightness, power, share = map(np.concatenate, zip(*self._windows, strict=True))
        whole = share == share.max()
        brightness, power = (brightness[whole] - lowest) / span, power[whole] / span**2
        deviation = max(float(np.sqrt(power.mean())), _RESOLUTION)
        slope, start, significance = _line(brightness - brightness.min(), power)
        if slope <= 0 or significance < _SIGNIFICANT:
            return NoiseModel(span * deviation)
        dark = lowest + span * float(brightness.min())
        return NoiseModel(span * deviation, span * slope, dark, span**2 * max(start, 0.0))


def _windows(
    plane: NDArray[np.float32], cutoff: float | None, valid: NDArray[np.bool_] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Brightness, noise variance and share of data in windows of a plane of range 1, each (W,)."""
    import torch

    from napari_deepblur.networks.spectrum import PowerSpectrum

    image = torch.from_numpy(plane)
    spectrum = PowerSpectrum(window=_WINDOW)
    beyond = spectrum.frequency.norm(dim=-1) > _first_frequency(cutoff)
    weight = spectrum.hann.square() / spectrum.hann.square().sum()
    brightness, variance = [], []
    for rows in image.unfold(0, _WINDOW, _WINDOW // 2).transpose(1, 2).split(_ROWS):
        brightness.append((spectrum.windows(rows) * weight).sum((-2, -1)))
        power = spectrum.power_of_windows(rows)[..., beyond].mean(-1)
        variance.append(power / spectrum.hann.square().sum())
    first, second = (torch.cat(part).flatten().double().numpy() for part in (brightness, variance))
    if valid is None:
        return first, second, np.ones_like(first)
    whole = torch.from_numpy(np.ascontiguousarray(valid)).float()[None]
    return first, second, spectrum.windows(whole).mean((-2, -1)).flatten().double().numpy()


def _line(
    brightness: NDArray[np.float64], variance: NDArray[np.float64]
) -> tuple[float, float, float]:
    """Slope and start of variance over brightness, and the slope by its standard error."""
    design = np.stack([brightness, np.ones_like(brightness)], 1)
    least = max(_LEAST_SHARE * float(variance.mean()), _RESOLUTION**2)
    fitted = np.full_like(variance, max(float(np.median(variance)), least))
    slope = start = significance = 0.0
    for _ in range(_FIT_ITERATIONS):
        relative = variance / fitted - 1
        usual = max(1.4826 * float(np.median(np.abs(relative - np.median(relative)))), 0.02)
        robust = np.minimum(1, _HUBER * usual / np.abs(relative).clip(1e-12))
        weighted = design * (robust / fitted**2)[:, None]
        normal = weighted.T @ design
        slope, start = np.linalg.lstsq(normal, weighted.T @ variance, rcond=None)[0]
        spread = np.linalg.pinv(normal)[0, 0] ** 0.5 * usual
        significance = slope / spread if spread > 0 else 0.0
        fitted = (design @ [slope, start]).clip(least)
    return float(slope), float(start), float(significance)


def _first_frequency(cutoff: float | None) -> float:
    """Lowest frequency where the noise is alone, or nearly so, cycles per pixel."""
    end = 1.0 if cutoff is None else 2 * cutoff
    return min(max(_MARGIN * end, _LOWEST), _HIGHEST)
