"""Stationary blur: one PSF for the whole field."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_deepblur.operators.fourier_blur import FourierBlur, domain_for

__all__ = ["Convolution"]


class Convolution(FourierBlur):
    """Convolution with a PSF, cropped to where no unseen light is missing.

    Parameters
    ----------
    psf
        Shape (..., h, w) or (..., d, h, w), sides odd; leading dimensions are a batch of blurs
        that broadcasts with the images' leading dimensions.
    shape
        (Y, X) or (Z, Y, X) of the observed image.

    Raises
    ------
    ValueError
        If a side of the PSF is even.
    """

    transfer: Tensor
    _psf: Tensor

    def __init__(self, psf: Tensor, shape: tuple[int, ...]) -> None:
        super().__init__(shape, domain_for(shape, tuple(psf.shape[-len(shape) :])))
        self.register_buffer("_psf", psf, persistent=False)
        self.register_buffer("transfer", self._transfer(psf), persistent=False)
        self._power: Tensor | None = None
        self._conjugate: Tensor | None = None

    def forward(self, sharp: Tensor) -> Tensor:
        """Blur: shape (..., *domain_shape) to (..., *range_shape)."""
        self._check(sharp, self.domain_shape)
        return self.crop(self.image(self.spectrum(sharp) * self.transfer))

    def adjoint(self, image: Tensor) -> Tensor:
        """Correlate with the PSF: shape (..., *range_shape) to (..., *domain_shape)."""
        self._check(image, self.range_shape)
        return self.image(self.spectrum(self.embed(image)) * self.transfer.conj())

    def preconditioned_adjoint(self, image: Tensor, curvature: Tensor) -> Tensor:
        """Apply P A* with P = ((1 - s) ‖A‖² + s H*H)⁻¹, H being the circular convolution.

        A*A ≤ H*H, so a step of 1 along it never overshoots.
        """
        self._check(image, self.range_shape)
        share = self._per_image(curvature)
        power = self._power_of_transfer()
        largest = power.amax(self.dims, keepdim=True)
        gain = ((1 - share) * largest + share * power).reciprocal()
        # Large images wait for memory, so that nothing is written twice; and a product with a
        # complex number would be twice the work of one with a real one.
        spectrum = self.spectrum(self.embed(image)).mul_(self._conjugate_transfer())
        torch.view_as_real(spectrum).mul_(gain[..., None])
        return self.image(spectrum)

    def _power_of_transfer(self) -> Tensor:
        """|OTF|² at each frequency; computed once."""
        if self._power is None:
            self._power = self.transfer.real.square() + self.transfer.imag.square()
        return self._power

    def _conjugate_transfer(self) -> Tensor:
        """Conjugate of the OTF; computed once."""
        if self._conjugate is None:
            self._conjugate = self.transfer.conj().resolve_conj()
        return self._conjugate

    def norm(self, *, n_iterations: int = 0, seed: int = 0) -> Tensor:  # noqa: ARG002
        """Upper bound of the norm, exact up to the border: the largest |OTF|.

        The operator is a part of a circular convolution, whose norm that is; so no
        iteration is needed, and steps 1 / norm² are safe.
        """
        return self.transfer.abs().amax(dim=self.dims)

    def psf(self, position_yx: tuple[float, float] | None = None) -> Tensor:  # noqa: ARG002
        """PSF, shape (..., h, w) or (..., d, h, w); the same at every position."""
        return self._psf
