"""Blur of a volume by a PSF as large as the whole domain."""

from __future__ import annotations

from torch import Tensor

from napari_deepblur.operators.fourier_blur import FourierBlur

__all__ = ["VolumeBlur"]


class VolumeBlur(FourierBlur):
    """Convolution on a torus, given by its transfer function, seen through a window.

    Out-of-focus light spreads over the whole field, so a 3-D PSF has no border at which it
    could be cut. It wraps around the domain instead, which keeps every plane's light: what
    comes around is so far out of focus that it is nearly even.

    Parameters
    ----------
    transfer
        Fourier transform (half spectrum) of the PSF on the domain, its centre at the origin.
    shape
        (Z, Y, X) of the observed stack.
    domain_shape
        (Z, Y, X) of the sharp volume, a `fast_shape`.

    Raises
    ------
    ValueError
        If the domain is no `fast_shape`, or the transfer function has another shape.
    """

    transfer: Tensor

    def __init__(
        self, transfer: Tensor, shape: tuple[int, ...], domain_shape: tuple[int, ...]
    ) -> None:
        super().__init__(shape, domain_shape)
        half = (*domain_shape[:-1], domain_shape[-1] // 2 + 1)
        if self._grid != self.domain_shape or tuple(transfer.shape[-len(half) :]) != half:
            raise ValueError(
                f"a domain {self.domain_shape} needs a transfer function (..., {half}), got "
                f"{tuple(transfer.shape)}; sides must be quick to transform, such as {self._grid}"
            )
        self.register_buffer("transfer", transfer, persistent=False)

    def forward(self, sharp: Tensor) -> Tensor:
        """Blur: shape (..., *domain_shape) to (..., *range_shape)."""
        self._check(sharp, self.domain_shape)
        return self.crop(self.image(self.spectrum(sharp) * self.transfer))

    def adjoint(self, image: Tensor) -> Tensor:
        """Correlate with the PSF: shape (..., *range_shape) to (..., *domain_shape)."""
        self._check(image, self.range_shape)
        return self.image(self.spectrum(self.embed(image)) * self.transfer.conj())
