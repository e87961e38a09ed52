"""Welch spectra of image regions, and the leakage between their bins.

Source: Welch, "The use of fast Fourier transform for the estimation of power spectra", IEEE
Trans. Audio Electroacoust. 15 (1967).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, fft
from torch.nn import functional

__all__ = ["WINDOW", "Leakage", "RegionSpectra", "bins_inside", "region_spectra", "welch"]

#: Side of the windows in pixels at the canonical cutoff; the spectral prior has twice as many bins.
WINDOW = 64


def welch(image: Tensor, window: int = WINDOW) -> Tensor:
    """Mean power of Hann windows that overlap by half: (Y, X) to (window, window / 2 + 1).

    White noise of variance 1 has power 1 in every bin.
    """
    step = window // 2
    hann = torch.hann_window(window, device=image.device)
    hann = hann[:, None] * hann
    windows = image.unfold(0, window, step).unfold(1, window, step).flatten(0, 1)
    windows = (windows - windows.mean((-2, -1), keepdim=True)) * hann
    power: Tensor = fft.rfft2(windows).abs().square().mean(0) / hann.square().sum()
    return power


@dataclass(frozen=True)
class RegionSpectra:
    """Power spectra of regions of images that share a blur.

    Attributes
    ----------
    power
        Welch spectra, shape (B, W, W / 2 + 1).
    noise
        Mean power of a bin of noise, shape (B,).
    n_windows
        Number of independent windows that were averaged, shape (B,).
    """

    power: Tensor
    noise: Tensor
    n_windows: Tensor

    def __len__(self) -> int:
        return len(self.power)

    def clearest(self, n: int) -> RegionSpectra:
        """Pick the n regions with the least noise by their power, which say most of the blur."""
        order = (self.noise / self.power.mean((1, 2))).argsort()[:n]
        return RegionSpectra(self.power[order], self.noise[order], self.n_windows[order])

    @classmethod
    def joined(cls, parts: list[RegionSpectra]) -> RegionSpectra:
        """Regions of several images as those of one."""
        names = ("power", "noise", "n_windows")
        return cls(*(torch.cat([getattr(part, name) for part in parts]) for name in names))


def region_spectra(image: Tensor, *, side: int, band: float = 0.5) -> RegionSpectra:
    """Spectra of the regions of an image.

    Parameters
    ----------
    image
        At the canonical cutoff, shape (Y, X). One that is smaller than a window has no region.
    side
        Least side of a region in pixels; smaller images are one region.
    band
        Highest frequency along each axis that the camera sampled, cycles per pixel.
    """
    if min(image.shape) < WINDOW:
        nothing = torch.empty(0)
        return RegionSpectra(torch.empty(0, WINDOW, WINDOW // 2 + 1), nothing, nothing)
    unit = image / (image.std() + 1e-12)
    regions = [
        part
        for row in unit.tensor_split(max(1, len(unit) // side), 0)
        for part in row.tensor_split(max(1, unit.shape[1] // side), 1)
    ]
    power = torch.stack([welch(region) for region in regions])
    radius, highest = _frequencies(WINDOW)
    corners = (radius > 1.06 * band) & (highest <= band)
    area = torch.tensor([float(region.numel()) for region in regions])
    return RegionSpectra(power, power[:, corners].mean(-1), area / WINDOW**2)


class Leakage:
    """Power of a fine spectrum as the windows of a Welch spectrum see it.

    A window of W pixels convolves the spectrum with its own; computed exactly on a grid of 2 W
    frequencies, as products with two small matrices.

    Parameters
    ----------
    window
        Side of the windows, W.
    """

    def __init__(self, window: int = WINDOW) -> None:
        grid = 2 * window
        hann = functional.pad(torch.hann_window(window, dtype=torch.float64), (0, window))
        # The power of the window's own spectrum; its sum is 1.
        kernel = fft.fft(hann).abs().square()
        kernel = kernel / kernel.sum()
        fine = torch.arange(grid)
        rows = kernel[(2 * torch.arange(window)[:, None] - fine) % grid].float()
        half = window // 2 + 1
        columns = kernel[(2 * torch.arange(half)[:, None] - fine) % grid].float()
        n_half = window + 1
        # Negative column frequencies are the positive ones with the rows' sign turned.
        negative = torch.zeros(half, n_half)
        negative[:, 1:-1] = columns[:, n_half:].flip(1)
        self._rows = rows
        self._turned_rows = rows[:, (-fine) % grid]
        self._columns = columns[:, :n_half].T.contiguous()
        self._negative_columns = negative.T.contiguous()

    def __call__(self, power: Tensor) -> Tensor:
        """Smooth spectra: (..., 2 W, W + 1) to (..., W, W / 2 + 1)."""
        seen: Tensor = self._rows @ (power @ self._columns)
        folded: Tensor = self._turned_rows @ (power @ self._negative_columns)
        return seen + folded


def bins_inside(window: int, band: float) -> Tensor:
    """Tell which bins hold signal: within the OTF and the sampled band, but not the lowest.

    The mean of each window was taken off, which reaches the two lowest bins.
    """
    radius, highest = _frequencies(window)
    inside: Tensor = (radius > 2 / window) & (radius <= 0.5) & (highest <= band)
    return inside


def _frequencies(window: int) -> tuple[Tensor, Tensor]:
    """Length of each bin's frequency, and the larger of its two parts, cycles per pixel."""
    y, x = fft.fftfreq(window)[:, None].abs(), fft.rfftfreq(window)[None]
    return torch.hypot(y, x), torch.maximum(y, x)
