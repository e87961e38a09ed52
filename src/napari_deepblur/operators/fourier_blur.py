"""Blurs that are computed by Fourier transforms on a domain larger than the image."""

from __future__ import annotations

from scipy.fft import next_fast_len
from torch import Tensor, fft
from torch.nn import functional

from napari_deepblur.operators.linear_operator import LinearOperator

__all__ = ["FourierBlur"]


class FourierBlur(LinearOperator):
    """What convolutions have in common: a margin, and a torus on which nothing seen wraps.

    The sharp image lives on a domain larger than the observed one by the PSF's size minus
    one, since light from outside the field reaches into it: a model that ignores it rings
    at the borders.

    Parameters
    ----------
    shape
        (Y, X) of the observed image.
    psf_shape
        (h, w) of the PSFs, odd.

    Raises
    ------
    ValueError
        If a side of the PSFs is even.
    """

    def __init__(self, shape: tuple[int, int], psf_shape: tuple[int, int]) -> None:
        super().__init__()
        height, width = psf_shape
        if height % 2 == 0 or width % 2 == 0:
            raise ValueError(f"the PSF's sides must be odd, got {height} × {width}")
        self.range_shape = (shape[0], shape[1])
        self.domain_shape = (shape[0] + height - 1, shape[1] + width - 1)
        self.margin = (height // 2, width // 2)
        # On a torus of the domain's size, what wraps around falls on rows that are cropped.
        self._grid = tuple(next_fast_len(n, real=True) for n in self.domain_shape)

    def crop(self, sharp: Tensor) -> Tensor:
        """Part of a domain image that the camera sees: shape (..., *range_shape)."""
        (top, left), (height, width) = self.margin, self.range_shape
        seen: Tensor = sharp[..., top : top + height, left : left + width]
        return seen

    def embed(self, image: Tensor) -> Tensor:
        """Transpose of `crop`: zeros outside the field."""
        (top, left) = self.margin
        surrounded: Tensor = functional.pad(image, (left, left, top, top))
        return surrounded

    def _transfer(self, psf: Tensor) -> Tensor:
        """Transfer function of PSFs (..., h, w) on the torus."""
        height, width = psf.shape[-2:]
        padding = (0, self._grid[1] - width, 0, self._grid[0] - height)
        centred = functional.pad(psf, padding).roll((-(height // 2), -(width // 2)), dims=(-2, -1))
        transfer: Tensor = fft.rfft2(centred)
        return transfer

    def _spectrum(self, image: Tensor) -> Tensor:
        """Fourier transform on the torus of images on the domain."""
        spectrum: Tensor = fft.rfft2(image, s=self._grid)
        return spectrum

    def _image(self, spectrum: Tensor) -> Tensor:
        """Inverse of `_spectrum`, shape (..., *domain_shape)."""
        image: Tensor = fft.irfft2(spectrum, s=self._grid)
        return image[..., : self.domain_shape[0], : self.domain_shape[1]]
