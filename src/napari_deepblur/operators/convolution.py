"""Stationary blur: one PSF for the whole field."""

from __future__ import annotations

from scipy.fft import next_fast_len
from torch import Tensor, fft
from torch.nn import functional

from napari_deepblur.operators.linear_operator import LinearOperator

__all__ = ["Convolution"]


class Convolution(LinearOperator):
    """Convolution with a PSF, cropped to where no unseen light is missing.

    The sharp image lives on a domain larger than the observed one by the PSF's size minus
    one, since light from outside the field reaches into it: a model that ignores it rings
    at the borders.

    Parameters
    ----------
    psf
        Shape (..., h, w) with odd h and w; leading dimensions are a batch of blurs that
        broadcasts with the images' leading dimensions.
    shape
        (Y, X) of the observed image.
    """

    transfer: Tensor
    _psf: Tensor

    def __init__(self, psf: Tensor, shape: tuple[int, int]) -> None:
        super().__init__()
        height, width = psf.shape[-2:]
        if height % 2 == 0 or width % 2 == 0:
            raise ValueError(f"the PSF's sides must be odd, got {height} × {width}")
        self.range_shape = (shape[0], shape[1])
        self.domain_shape = (shape[0] + height - 1, shape[1] + width - 1)
        self.margin = (height // 2, width // 2)
        # On a torus of the domain's size, what wraps around falls on rows that are cropped.
        self._grid = tuple(next_fast_len(n, real=True) for n in self.domain_shape)
        centred = functional.pad(psf, _padding_to(self._grid, (height, width)))
        centred = centred.roll((-(height // 2), -(width // 2)), dims=(-2, -1))
        self.register_buffer("_psf", psf, persistent=False)
        self.register_buffer("transfer", fft.rfft2(centred), persistent=False)

    def forward(self, sharp: Tensor) -> Tensor:
        """Blur: shape (..., *domain_shape) to (..., *range_shape)."""
        self._check(sharp, self.domain_shape)
        return self.crop(self._filter(sharp, self.transfer))

    def adjoint(self, image: Tensor) -> Tensor:
        """Correlate with the PSF: shape (..., *range_shape) to (..., *domain_shape)."""
        self._check(image, self.range_shape)
        return self._filter(self.embed(image), self.transfer.conj())

    def preconditioned_adjoint(self, image: Tensor, curvature: Tensor) -> Tensor:
        """P A* image with P = ((1 - s) ‖A‖² + s H*H)⁻¹, H being the circular convolution.

        A*A ≤ H*H, so a step of 1 along it never overshoots.
        """
        self._check(image, self.range_shape)
        share = curvature.reshape(-1, 1, 1)
        largest = self.norm().square()[..., None, None]
        power = self.transfer.real.square() + self.transfer.imag.square()
        shaped = self.transfer.conj() / ((1 - share) * largest + share * power)
        return self._filter(self.embed(image), shaped)

    def norm(self, *, n_iterations: int = 0, seed: int = 0) -> Tensor:  # noqa: ARG002
        """Upper bound of the norm, exact up to the border: the largest |OTF|.

        The operator is a part of a circular convolution, whose norm that is; so no
        iteration is needed, and steps 1 / norm² are safe.
        """
        return self.transfer.abs().amax(dim=(-2, -1))

    def psf(self, position_yx: tuple[float, float] | None = None) -> Tensor:  # noqa: ARG002
        """PSF, shape (..., h, w); the same at every position."""
        return self._psf

    def crop(self, sharp: Tensor) -> Tensor:
        """Part of a domain image that the camera sees: shape (..., *range_shape)."""
        (top, left), (height, width) = self.margin, self.range_shape
        return sharp[..., top : top + height, left : left + width]

    def embed(self, image: Tensor) -> Tensor:
        """Transpose of `crop`: zeros outside the field."""
        return functional.pad(image, _around(self.margin))

    def _filter(self, image: Tensor, transfer: Tensor) -> Tensor:
        spectrum = fft.rfft2(image, s=self._grid) * transfer
        filtered: Tensor = fft.irfft2(spectrum, s=self._grid)
        return filtered[..., : self.domain_shape[0], : self.domain_shape[1]]


def _around(margin: tuple[int, int]) -> tuple[int, int, int, int]:
    return (margin[1], margin[1], margin[0], margin[0])


def _padding_to(grid: tuple[int, ...], size: tuple[int, int]) -> tuple[int, int, int, int]:
    return (0, grid[1] - size[1], 0, grid[0] - size[0])
