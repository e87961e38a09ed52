"""Figures of merit, as the field defines them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["psf_snr", "psnr", "ssim"]


def psf_snr(estimated: Tensor, true: Tensor) -> Tensor:
    """PSF-SNR −10 log₁₀(‖ĥ − h‖² / ‖h‖²) in dB, shape (..., h, w) to (...).

    Both PSFs sum to 1 (Debarnot & Weiss, 2024). The estimated one is padded with zeros, or
    cropped, to the window of the true one.
    """
    from torch.nn import functional

    margin = (true.shape[-1] - estimated.shape[-1]) // 2
    error = (functional.pad(estimated, (margin,) * 4) - true).square().sum((-2, -1))
    return -10 * (error / true.square().sum((-2, -1))).log10()


def psnr(estimated: Tensor, true: Tensor) -> Tensor:
    """PSNR in dB, the peak being the true image's range: (..., Y, X) to (...)."""
    error = (estimated - true).square().mean((-2, -1))
    peak = true.amax((-2, -1)) - true.amin((-2, -1))
    return 10 * (peak.square() / error).log10()


def ssim(estimated: Tensor, true: Tensor) -> Tensor:
    """Structural similarity, windows of 7 × 7, the true image's range: (..., Y, X) to (...).

    Source: Wang, Bovik, Sheikh & Simoncelli, IEEE Trans. Image Process. 13 (2004).
    """
    from skimage.metrics import structural_similarity

    peak = true.amax((-2, -1)) - true.amin((-2, -1))
    planes = (image.reshape(-1, *image.shape[-2:]).cpu().numpy() for image in (true, estimated))
    values = [
        structural_similarity(one, other, data_range=float(span))
        for one, other, span in zip(*planes, peak.reshape(-1), strict=True)
    ]
    return true.new_tensor(values).reshape(peak.shape)
