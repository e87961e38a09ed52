"""Blurs that are computed by Fourier transforms on a domain larger than the image."""

from __future__ import annotations

from scipy.fft import next_fast_len
from torch import Tensor, fft
from torch.nn import functional

from napari_deepblur.operators.linear_operator import LinearOperator, surrounding

__all__ = ["FourierBlur", "domain_for", "fast_shape"]


class FourierBlur(LinearOperator):
    """Blur on a domain with an unknown border, computed on a torus.

    The sharp image lives on a domain larger than the observed one, since light from outside
    the field reaches into it: a model that ignores it rings at the borders.

    Parameters
    ----------
    shape
        (Y, X) or (Z, Y, X) of the observed image.
    domain_shape
        The same of the sharp image; the observed one lies in its middle.
    """

    def __init__(self, shape: tuple[int, ...], domain_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.range_shape = tuple(shape)
        self.domain_shape = tuple(domain_shape)
        self.margin = tuple(
            (large - small) // 2 for small, large in zip(shape, domain_shape, strict=True)
        )
        self._grid = fast_shape(domain_shape)

    def crop(self, sharp: Tensor) -> Tensor:
        """Part of a domain image that the camera sees: shape (..., *range_shape)."""
        for dim, first, side in zip(self.dims, self.margin, self.range_shape, strict=True):
            sharp = sharp.narrow(dim, first, side)
        return sharp

    def embed(self, image: Tensor) -> Tensor:
        """Transpose of `crop`: zeros outside the field."""
        surrounded: Tensor = functional.pad(image, surrounding(self.range_shape, self.domain_shape))
        return surrounded

    def spectrum(self, image: Tensor) -> Tensor:
        """Fourier transform on the torus of images on the domain."""
        spectrum: Tensor = fft.rfftn(image, s=self._grid)
        return spectrum

    def image(self, spectrum: Tensor) -> Tensor:
        """Inverse of `spectrum`, shape (..., *domain_shape)."""
        image: Tensor = fft.irfftn(spectrum, s=self._grid)
        for dim, side in zip(self.dims, self.domain_shape, strict=True):
            image = image.narrow(dim, 0, side)
        return image

    def _transfer(self, psf: Tensor) -> Tensor:
        """Transfer function on the torus of PSFs (..., *sides), the centre in the middle."""
        sides = tuple(psf.shape[-len(self._grid) :])
        missing = [large - side for side, large in zip(sides, self._grid, strict=True)]
        padding = [width for after in reversed(missing) for width in (0, after)]
        shifts = tuple(-(side // 2) for side in sides)
        centred = functional.pad(psf, padding).roll(shifts, dims=self.dims)
        transfer: Tensor = fft.rfftn(centred, s=self._grid)
        return transfer


def domain_for(shape: tuple[int, ...], psf_shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of the domain from which PSFs of odd sides bring light into an image.

    On a torus of that size, what wraps around falls on pixels that are cropped.

    Raises
    ------
    ValueError
        If a side of the PSFs is even.
    """
    if any(side % 2 == 0 for side in psf_shape):
        raise ValueError(f"the PSF's sides must be odd, got {' × '.join(map(str, psf_shape))}")
    return tuple(side + width - 1 for side, width in zip(shape, psf_shape, strict=True))


def fast_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Smallest shape that is no smaller and quick to transform."""
    return tuple(int(next_fast_len(side, real=True)) for side in shape)
