"""Blur of a stack by a PSF as large as the whole domain, computed no further than it is seen."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["StackBlur", "damped_inverse", "n_threads"]


class StackBlur:
    """Convolution on a torus, the stack in the corner at the origin.

    Out-of-focus light spreads over the whole field, so a 3-D PSF has no border at which it could
    be cut. It wraps around the domain instead, which keeps every plane's light: what comes around
    is so far out of focus that it is nearly even.

    Transforms along one axis after the other leave out what is not seen, and work in place; on
    processors SciPy does that quicker than PyTorch. There are no gradients.

    Parameters
    ----------
    transfer
        Fourier transform (half spectrum) of the PSF on the domain, its centre at the origin.
    shape
        (Z, Y, X) of the observed stack.
    domain_shape
        (Z, Y, X) of the sharp volume, quick to transform.

    Raises
    ------
    ValueError
        If the transfer function is not that of the domain, or the domain smaller than the stack.
    """

    def __init__(
        self, transfer: Tensor, shape: tuple[int, ...], domain_shape: tuple[int, ...]
    ) -> None:
        half = (*domain_shape[:-1], domain_shape[-1] // 2 + 1)
        fits = all(side <= most for side, most in zip(shape, domain_shape, strict=True))
        if tuple(transfer.shape) != half or not fits:
            raise ValueError(
                f"a stack {shape} on a domain {domain_shape} needs a transfer function {half} and "
                f"a domain no smaller than the stack, got {tuple(transfer.shape)}"
            )
        self.transfer = transfer
        self.shape = shape
        self.domain_shape = domain_shape
        self._inverse: tuple[float, Tensor] | None = None

    @cached_property
    def sensitivity(self) -> Tensor:
        """Share of the light of each voxel of the domain that falls into the stack."""
        return self.adjoint(self.transfer.real.new_ones(self.shape))

    def forward(self, sharp: Tensor) -> Tensor:
        """Blur a volume and look at the stack: domain to (Z, Y, X)."""
        return self.image(self.spectrum(sharp).mul_(self.transfer))

    def adjoint(self, image: Tensor) -> Tensor:
        """Correlate with the PSF: (Z, Y, X) to the domain."""
        return self.spread(image, self.transfer.conj())

    def spread(self, image: Tensor, filter_: Tensor) -> Tensor:
        """Filter a stack with zeros around it: (Z, Y, X) to the domain.

        Parameters
        ----------
        image
            Shape (Z, Y, X).
        filter_
            Half spectrum.
        """
        return self._inverse_of(self.spectrum(image).mul_(filter_), self.domain_shape)

    def damped_inverse(self, damping: float) -> Tensor:
        """Half spectrum of H* (1 + λ) / (|H|² + λ), kept for the next time."""
        if self._inverse is None or self._inverse[0] != damping:
            self._inverse = damping, damped_inverse(self.transfer, damping)
        return self._inverse[1]

    def crop(self, volume: Tensor) -> Tensor:
        """Part of a volume that is seen, shape (Z, Y, X)."""
        depth, height, width = self.shape
        return volume[:depth, :height, :width]

    def spectrum(self, volume: Tensor) -> Tensor:
        """Half spectrum on the domain of a volume, or of a stack with zeros around it."""
        import torch
        from scipy.fft import fft, rfft

        depth, height, width = self.domain_shape
        spectrum = rfft(volume.numpy(), n=width, axis=2, workers=n_threads())
        spectrum = fft(spectrum, n=height, axis=1, overwrite_x=True, workers=n_threads())
        spectrum = fft(spectrum, n=depth, axis=0, overwrite_x=True, workers=n_threads())
        return torch.from_numpy(spectrum)

    def image(self, spectrum: Tensor) -> Tensor:
        """Look at the stack in a volume given by its spectrum, which is overwritten."""
        return self._inverse_of(spectrum, self.shape)

    def _inverse_of(self, spectrum: Tensor, seen: tuple[int, ...]) -> Tensor:
        """Corner of a volume that is given by its spectrum, which is overwritten."""
        import torch
        from scipy.fft import ifft, irfft

        depth, height, width = seen
        planes = spectrum.numpy()
        planes = ifft(planes, axis=0, overwrite_x=True, workers=n_threads())[:depth]
        rows = ifft(planes, axis=1, overwrite_x=True, workers=n_threads())[:, :height]
        image = irfft(rows, n=self.domain_shape[2], axis=2, workers=n_threads())
        return torch.from_numpy(image)[:, :, :width]


def damped_inverse(transfer: Tensor, damping: float) -> Tensor:
    """H* (1 + λ) / (|H|² + λ) of H, or of a part of it."""
    power = transfer.real.square().add_(transfer.imag.square())
    gain = power.add_(damping).reciprocal_().mul_(1 + damping)
    return transfer.conj() * gain


def n_threads() -> int:
    """Threads that PyTorch was told to use: a single setting for all."""
    import torch

    return torch.get_num_threads()
