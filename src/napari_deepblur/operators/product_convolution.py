"""Space-varying blur: multiply by weight maps, then convolve with eigen-PSFs.

Source: Escande & Weiss, "Approximation of integral operators using product-convolution
expansions", J. Math. Imaging Vis. 58 (2017).
"""

from __future__ import annotations

import torch
from torch import Tensor

from napari_deepblur.operators.fourier_blur import FourierBlur, domain_for

__all__ = ["ORDER", "ProductConvolution"]

#: The order in which the two are done; the other one is another operator.
ORDER = "modulate-then-convolve"

#: Places along each axis at which the blur's power is looked at.
_N_PLACES = 3


class ProductConvolution(FourierBlur):
    """A x = Σ_k e_k ⋆ (w_k ⊙ x), cropped to where no unseen light is missing.

    A point at u becomes Σ_k w_k(u) e_k. One application costs K + 1 Fourier transforms.

    Parameters
    ----------
    eigen_psfs
        e_k, shape (K, h, w) with odd h and w.
    weight_maps
        w_k over the domain, shape (..., K, Y + h - 1, X + w - 1); leading dimensions are a
        batch of blurs that broadcasts with the images' leading dimensions.
    places
        Weights of the eigen-PSFs at the places of the field whose PSFs set the length of the
        steps, shape (..., M, K); by default at 3 × 3 places of the domain.

    Raises
    ------
    ValueError
        If a side of the PSFs is even, or the shapes do not fit.
    """

    eigen_psfs: Tensor
    weight_maps: Tensor
    transfers: Tensor
    places: Tensor

    def __init__(
        self, eigen_psfs: Tensor, weight_maps: Tensor, places: Tensor | None = None
    ) -> None:
        n_eigen_psfs, height, width = eigen_psfs.shape
        n_maps, tall, wide = weight_maps.shape[-3:]
        if n_maps != n_eigen_psfs or tall < height or wide < width:
            raise ValueError(
                f"{n_eigen_psfs} eigen-PSFs of {height} × {width} pixels need as many weight "
                f"maps, of the field and half a PSF around it, got {n_maps} of {tall} × {wide}"
            )
        shape = (tall - height + 1, wide - width + 1)
        super().__init__(shape, domain_for(shape, (height, width)))
        self.register_buffer("eigen_psfs", eigen_psfs, persistent=False)
        self.register_buffer("weight_maps", weight_maps, persistent=False)
        self.register_buffer("transfers", self._transfer(eigen_psfs), persistent=False)
        places = _weights_at_places(weight_maps) if places is None else places
        self.register_buffer("places", places, persistent=False)
        self._power: Tensor | None = None

    def forward(self, sharp: Tensor) -> Tensor:
        """Blur: shape (..., *domain_shape) to (..., *range_shape)."""
        self._check(sharp, self.domain_shape)
        # One map after the other: the memory of K images is what a large field lacks.
        total = torch.zeros((), device=sharp.device)
        for weights, transfer in zip(self.weight_maps.unbind(-3), self.transfers, strict=True):
            total = total + self.spectrum(weights * sharp) * transfer
        return self.crop(self.image(total))

    def adjoint(self, image: Tensor) -> Tensor:
        """Transpose of `forward`: shape (..., *range_shape) to (..., *domain_shape)."""
        self._check(image, self.range_shape)
        return self._correlate(self.spectrum(self.embed(image)))

    def preconditioned_adjoint(self, image: Tensor, curvature: Tensor) -> Tensor:
        """Apply A* Q: the gradient of a misfit whose frequencies are weighted by Q.

        Q = ((1 - s) max |H|² + s |H|²)⁻¹, |H|² being at each frequency the largest power of
        the blur's transfer function over the field: where the blur varies slowly, a step of 1
        along it does not overshoot.
        """
        self._check(image, self.range_shape)
        share = curvature.reshape(-1, 1, 1)
        power = self._largest_power()
        largest = power.amax((-2, -1), keepdim=True)
        spectrum = self.spectrum(self.embed(image))
        return self._correlate(spectrum / ((1 - share) * largest + share * power))

    def psf(self, position_yx: tuple[float, float] | None = None) -> Tensor:
        """Compute the PSF at a pixel of the field, shape (..., h, w); by default at its centre."""
        (height, width), (top, left) = self.range_shape, self.margin
        y, x = position_yx or ((height - 1) / 2, (width - 1) / 2)
        weights = torch.einsum(
            "...kyx,y,x->...k",
            self.weight_maps,
            _between_pixels(y + top, self.weight_maps, self.domain_shape[0]),
            _between_pixels(x + left, self.weight_maps, self.domain_shape[1]),
        )
        psf: Tensor = torch.tensordot(weights, self.eigen_psfs, dims=1)
        return psf

    def _correlate(self, spectrum: Tensor) -> Tensor:
        total = torch.zeros((), device=spectrum.device)
        for weights, transfer in zip(self.weight_maps.unbind(-3), self.transfers, strict=True):
            total = total + weights * self.image(spectrum * transfer.conj())
        return total

    def _largest_power(self) -> Tensor:
        """Largest |H|² over places of the field at each frequency; computed once."""
        if self._power is None:
            power = torch.zeros((), device=self.transfers.device)
            for weights in self.places.to(self.transfers.dtype).unbind(-2):
                local = torch.tensordot(weights, self.transfers, dims=1)
                power = torch.maximum(power, local.real.square() + local.imag.square())
            self._power = power
        return self._power


def _weights_at_places(weight_maps: Tensor) -> Tensor:
    """Weights at places that are spread evenly over maps (..., K, Y, X): shape (..., M, K)."""
    rows, columns = (
        torch.linspace(0, side - 1, _N_PLACES).round().long() for side in weight_maps.shape[-2:]
    )
    return weight_maps[..., rows[:, None], columns].flatten(-2).transpose(-2, -1)


def _between_pixels(position: float, like: Tensor, n_pixels: int) -> Tensor:
    """Weights (n,) that interpolate linearly at a position."""
    pixels = torch.arange(n_pixels, dtype=like.dtype, device=like.device)
    return (1 - (pixels - position).abs()).clamp_min(0)
