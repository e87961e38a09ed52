"""The power spectrum of an image, which shows the OTF and the power of the noise.

Source: Welch, "The use of fast Fourier transform for the estimation of power spectra", IEEE
Trans. Audio Electroacoust. 15 (1967).
"""

from __future__ import annotations

import torch
from torch import Tensor, fft, nn

__all__ = ["PowerSpectrum", "log_signal"]

#: Below what a window's own leakage and an 8-bit camera leave, relative to the mean power.
_FLOOR = 1e-6

_TINY = torch.finfo(torch.float32).tiny


class PowerSpectrum(nn.Module):
    """Welch's estimate: overlapping windows, averaged.

    Parameters
    ----------
    window
        Side of the windows in pixels; they overlap by half.
    highest_frequency
        Cycles per pixel at which the OTF ends: bins beyond hold noise only.
    """

    hann: Tensor
    frequency: Tensor
    inside: Tensor

    def __init__(self, *, window: int = 32, highest_frequency: float = 0.5) -> None:
        super().__init__()
        self.window = window
        hann = torch.hann_window(window)
        frequency = torch.cartesian_prod(fft.fftfreq(window), fft.rfftfreq(window))
        inside = frequency.norm(dim=-1) <= highest_frequency
        self.register_buffer("hann", hann[:, None] * hann, persistent=False)
        self.register_buffer("frequency", frequency, persistent=False)
        self.register_buffer("inside", inside, persistent=False)

    @property
    def n_bins(self) -> int:
        """Number of frequencies within the support of the OTF, B."""
        return int(self.inside.sum())

    def forward(self, image: Tensor, *, band: float) -> Tensor:
        """Compute the powers of noise and signal of images.

        Parameters
        ----------
        image
            Shape (N, Y, X), sides ≥ the window.
        band
            Highest frequency along each axis that the camera sampled, cycles per pixel: 0.5,
            or less where the image was enlarged.

        Returns
        -------
            Shape (N, 2 + B): power of a bin of noise, mean power of all bins, power of each
            bin. Averages over images are those of all their windows.
        """
        power = self.power(image)
        noise = power[:, self._corners(band)].mean(-1, keepdim=True)
        total = power.mean(-1, keepdim=True)
        return torch.cat([noise, total, power[:, self.inside]], -1)

    def power(self, image: Tensor) -> Tensor:
        """Compute the power at each of `frequency`, mean over the windows of images (N, Y, X)."""
        return self.power_of_windows(image).mean(1)

    def power_of_windows(self, image: Tensor) -> Tensor:
        """Compute the power at each of `frequency` in each window, (N, Y, X) to (N, W, F)."""
        windows = self.windows(image)
        windows = (windows - windows.mean((-2, -1), keepdim=True)) * self.hann
        power: Tensor = fft.rfft2(windows).abs().square().flatten(2)
        return power

    def windows(self, image: Tensor) -> Tensor:
        """Cut images (N, Y, X) into overlapping windows, row by row: (N, W, window, window)."""
        step = self.window // 2
        return image.unfold(1, self.window, step).unfold(2, self.window, step).flatten(1, 2)

    def _corners(self, band: float) -> Tensor:
        """Find the sampled bins with least signal: the corners of the sampled square."""
        sampled = self.frequency.abs().amax(-1) <= band
        corners: Tensor = sampled & (self.frequency.norm(dim=-1) > 1.06 * band)
        return corners


def log_signal(noise: Tensor, total: Tensor, power: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the log of the relative power of the signal in each bin, and its share of the bin.

    Parameters
    ----------
    noise, total
        Mean power of the noise in a bin, and mean power of all bins, shape (N, 1).
    power
        Power of each bin, shape (N, B).

    Returns
    -------
        Two tensors of shape (N, B); the share lies in [0, 1].
    """
    total = total.clamp_min(_TINY)
    signal = (power - noise).clamp_min(0) / total
    return (signal + _FLOOR).log(), signal / (signal + noise / total + _FLOOR)
