"""Figures of merit, as the field defines them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["psf_snr", "psnr"]


def psf_snr(estimated: Tensor, true: Tensor) -> Tensor:
    """PSF-SNR −10 log₁₀(‖ĥ − h‖² / ‖h‖²) in dB, shape (..., h, w) to (...).

    Both PSFs sum to 1 (Debarnot & Weiss, 2024).
    """
    error = (estimated - true).square().sum((-2, -1))
    return -10 * (error / true.square().sum((-2, -1))).log10()


def psnr(estimated: Tensor, true: Tensor) -> Tensor:
    """PSNR in dB, the peak being the true image's range: (..., Y, X) to (...)."""
    error = (estimated - true).square().mean((-2, -1))
    peak = true.amax((-2, -1)) - true.amin((-2, -1))
    return 10 * (peak.square() / error).log10()
