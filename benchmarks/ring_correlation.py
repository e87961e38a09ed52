"""Agreement of two images of one scene, ring by ring of their spectra."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["fourier_ring_correlation", "radial_power"]


def fourier_ring_correlation(one: Tensor, other: Tensor, *, n_rings: int = 32) -> Tensor:
    """Correlation of two images in rings of frequency: (..., Y, X) to (..., n_rings).

    The rings divide 0 … 0.5 cycles per pixel. Images are windowed, so that borders do not
    correlate. Source: van Heel & Schatz, J. Struct. Biol. 151 (2005), eq. 2.
    """
    first, second = _windowed_spectrum(one), _windowed_spectrum(other)
    common = _ring_sums((first * second.conj()).real, n_rings)
    powers = [_ring_sums(spectrum.abs().square(), n_rings) for spectrum in (first, second)]
    return common / (powers[0] * powers[1]).sqrt().clamp_min(1e-30)


def radial_power(image: Tensor, *, n_rings: int = 32) -> Tensor:
    """Sum of the power spectrum in rings of frequency: (..., Y, X) to (..., n_rings).

    Rings and window are those of `fourier_ring_correlation`.
    """
    return _ring_sums(_windowed_spectrum(image).abs().square(), n_rings)


def _windowed_spectrum(image: Tensor) -> Tensor:
    """Spectrum without the mean, under a Hann window."""
    rows, columns = (
        torch.hann_window(side, periodic=False, dtype=torch.float64, device=image.device)
        for side in image.shape[-2:]
    )
    centred = image.double() - image.double().mean((-2, -1), keepdim=True)
    spectrum: Tensor = torch.fft.fft2(centred * rows[:, None] * columns)
    return spectrum


def _ring_sums(values: Tensor, n_rings: int) -> Tensor:
    """Sums over rings of a spectrum (..., Y, X); corners beyond 0.5 are left out."""
    rows, columns = (
        torch.fft.fftfreq(side, dtype=torch.float64, device=values.device)
        for side in values.shape[-2:]
    )
    radius = torch.hypot(rows[:, None], columns)
    ring = (radius * 2 * n_rings).long().clamp_max(n_rings).flatten()
    sums = values.new_zeros(*values.shape[:-2], n_rings + 1)
    return sums.index_add(-1, ring, values.flatten(-2))[..., :n_rings]
