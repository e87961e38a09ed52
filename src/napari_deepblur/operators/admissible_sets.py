"""Convex sets C of coefficients γ that a microscope can have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

__all__ = ["AdmissibleSet", "Box", "HalfBox"]


@runtime_checkable
class AdmissibleSet(Protocol):
    """Closed convex subset of R^P."""

    @property
    def n_coefficients(self) -> int:
        """Dimension of the space, P."""

    def contains(self, coefficients: Tensor, *, tolerance: float = 1e-6) -> Tensor:
        """Test which vectors, shape (..., P), lie in the set: booleans (...)."""

    def project(self, coefficients: Tensor) -> Tensor:
        """Find the nearest point of the set (Euclidean) to each vector of shape (..., P)."""

    def fold(self, coefficients: Tensor) -> Tensor:
        """Choose the vector with the same PSF on the side of the set, shape (..., P)."""

    def sample(
        self, n: int, *, seed: int | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """Draw points uniformly, shape (n, P)."""


class Box(nn.Module):
    """All γ with low ≤ γ ≤ high, coefficient by coefficient.

    Parameters
    ----------
    low, high
        Lower and upper bounds, P numbers each.
    """

    low: Tensor
    high: Tensor

    def __init__(self, low: Sequence[float] | Tensor, high: Sequence[float] | Tensor) -> None:
        super().__init__()
        lower = torch.as_tensor(low, dtype=torch.float32)
        upper = torch.as_tensor(high, dtype=torch.float32)
        if lower.ndim != 1 or lower.shape != upper.shape:
            raise ValueError(
                f"low and high must be vectors of one length, "
                f"got shapes {tuple(lower.shape)} and {tuple(upper.shape)}"
            )
        if not bool((lower <= upper).all()):
            raise ValueError(f"low must not exceed high, got {lower} and {upper}")
        self.register_buffer("low", lower, persistent=False)
        self.register_buffer("high", upper, persistent=False)

    @property
    def n_coefficients(self) -> int:
        """Dimension of the space, P."""
        return len(self.low)

    @property
    def lowest(self) -> Tensor:
        """Lower bounds, shape (P,)."""
        return self.low

    def contains(self, coefficients: Tensor, *, tolerance: float = 1e-6) -> Tensor:
        """Test which vectors, shape (..., P), lie in the box: booleans (...)."""
        above = coefficients >= self.low - tolerance
        below = coefficients <= self.high + tolerance
        return (above & below).all(-1)

    def project(self, coefficients: Tensor) -> Tensor:
        """Find the nearest point of the box (Euclidean) to each vector of shape (..., P)."""
        return coefficients.clamp(self.low, self.high)

    def fold(self, coefficients: Tensor) -> Tensor:
        """Return the vectors: each PSF has one only."""
        return coefficients

    def sample(
        self, n: int, *, seed: int | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """Draw points uniformly, shape (n, P), on the device of the box."""
        if seed is not None:
            generator = torch.Generator(self.low.device).manual_seed(seed)
        uniform = torch.rand(n, self.n_coefficients, generator=generator, device=self.low.device)
        return self.low + uniform * (self.high - self.low)


class HalfBox(Box):
    """Symmetric box cut at zero along one even mode, which ends the twin ambiguity.

    Flipping the signs of all modes of even radial degree together leaves the in-focus PSF
    as it is, so one half of the box describes every blur of the whole.

    Parameters
    ----------
    limits
        Largest |γ| of each mode, P numbers.
    even
        Positions of the modes of even radial degree; the first one is kept ≥ 0.
    non_negative
        Positions of coefficients that are never negative, and no modes.
    """

    _twin_signs: Tensor

    def __init__(
        self,
        limits: Sequence[float] | Tensor,
        even: Sequence[int],
        *,
        non_negative: Sequence[int] = (),
    ) -> None:
        high = torch.as_tensor(limits, dtype=torch.float32)
        low = -high
        low[[*even[:1], *non_negative]] = 0
        super().__init__(low, high)
        signs = torch.ones_like(high)
        signs[list(even)] = -1
        #: Positions of the modes of even radial degree.
        self.even = list(even)
        self._first = even[0] if even else None
        self.register_buffer("_twin_signs", signs, persistent=False)

    @property
    def lowest(self) -> Tensor:
        """Lower bounds of the whole box, twins included, shape (P,)."""
        return torch.minimum(self.low, self.twin(self.high))

    def twin(self, coefficients: Tensor) -> Tensor:
        """Flip all even modes: the other vector with the same PSF."""
        return coefficients * self._twin_signs

    def fold(self, coefficients: Tensor) -> Tensor:
        """Choose the one of γ and its twin that lies on the side of the set."""
        if self._first is None:
            return coefficients
        outside = coefficients[..., self._first, None] < 0
        return torch.where(outside, self.twin(coefficients), coefficients)
