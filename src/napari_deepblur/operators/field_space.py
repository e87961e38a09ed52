"""Linear space in which the coefficients of a space-varying family vary."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from napari_deepblur.operators.product_convolution_family import (
    ProductConvolutionFamily,
    interpolate_maps,
)

__all__ = ["FieldSpace"]

#: Directions in which coefficients, or weights at a place, vary less than this share of the
#: variance in the strongest direction do not vary at all.
_FLAT = 1e-6


class FieldSpace(nn.Module):
    """Independent factors of the coefficients, and independent numbers at each place.

    γ = mean + z · factors, where z has unit variance. At a place u the weights w of the eigen-PSFs,
    less those of the mean, become numbers y = local · (w(u) - w̄(u)) of unit variance over field
    and family. PSFs have sum 1, so there are fewer factors than coefficients.

    Parameters
    ----------
    mean
        Mean γ, shape (P,).
    factors
        Main directions of γ, in standard deviations, shape (R, P).
    local
        Matrix from weights to numbers, shape (Q, K).
    maps
        Maps m_{p,k} of the family at its nodes, shape (P, K, G, G).
    """

    mean: Tensor
    factors: Tensor
    local: Tensor
    maps: Tensor

    def __init__(self, mean: Tensor, factors: Tensor, local: Tensor, maps: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("factors", factors)
        self.register_buffer("local", local)
        self.register_buffer("maps", maps)

    @classmethod
    @torch.no_grad()
    def of(
        cls, family: ProductConvolutionFamily, *, n_samples: int = 2000, seed: int = 0
    ) -> FieldSpace:
        """Find factors and numbers from coefficients drawn from the set of the family."""
        gamma = family.admissible_set.sample(n_samples, seed=seed)
        mean = gamma.mean(0)
        values, vectors = _main_directions(gamma - mean)
        factors = vectors * values.sqrt()[:, None]
        weights = torch.einsum("np,pkyx->nyxk", gamma - mean, family.maps).flatten(0, 2)
        values, vectors = _main_directions(weights)
        return cls(mean, factors, vectors / values.sqrt()[:, None], family.maps.clone())

    @classmethod
    def empty(
        cls, *, n_coefficients: int, n_factors: int, n_local: int, n_eigen_psfs: int, n_nodes: int
    ) -> FieldSpace:
        """Make a space of zeros, to be filled from a file."""
        return cls(
            torch.zeros(n_coefficients),
            torch.zeros(n_factors, n_coefficients),
            torch.zeros(n_local, n_eigen_psfs),
            torch.zeros(n_coefficients, n_eigen_psfs, n_nodes, n_nodes),
        )

    @property
    def sizes(self) -> dict[str, int]:
        """Arguments of `empty` for a space of this size."""
        return {
            "n_coefficients": len(self.mean),
            "n_factors": len(self.factors),
            "n_local": len(self.local),
            "n_eigen_psfs": self.maps.shape[1],
            "n_nodes": self.maps.shape[-1],
        }

    def design(self, field_yx: Tensor) -> Tensor:
        """Compute the effect of each factor at field coordinates (T, 2): shape (T, Q, R)."""
        basis = interpolate_maps(self.maps, field_yx)
        return torch.einsum("qk,tpk,rp->tqr", self.local, basis, self.factors)

    def encode(self, coefficients: Tensor) -> Tensor:
        """Compute the factors of coefficients: (..., P) to (..., R)."""
        factors: Tensor = (coefficients - self.mean) @ torch.linalg.pinv(self.factors)
        return factors

    def decode(self, factors: Tensor) -> Tensor:
        """Compute the coefficients of factors: (..., R) to (..., P)."""
        return self.mean + factors @ self.factors


def _main_directions(centred: Tensor) -> tuple[Tensor, Tensor]:
    """Variances (R,) and directions (R, D) in which rows (N, D) do vary, the largest first."""
    covariance = centred.double().T @ centred.double() / len(centred)
    values, vectors = torch.linalg.eigh(covariance)
    kept = values > _FLAT * values[-1]
    return values[kept].flip(0).float(), vectors[:, kept].flip(1).T.float().contiguous()
