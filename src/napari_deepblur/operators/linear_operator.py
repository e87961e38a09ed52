"""Interface of all blur operators: forward, adjoint, norm."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["AdjointOperator", "LinearOperator", "surrounding"]


class LinearOperator(nn.Module, ABC):
    """Linear map from a sharp image (domain) to an observed one (range).

    Images are planes (Y, X) or volumes (Z, Y, X), whichever `range_shape` says; dimensions in
    front of those are a batch.
    """

    #: (Y, X) or (Z, Y, X) of the sharp image, larger than the range where the border is unknown.
    domain_shape: tuple[int, ...]
    #: (Y, X) or (Z, Y, X) of the observed image.
    range_shape: tuple[int, ...]

    @property
    def dims(self) -> tuple[int, ...]:
        """Dimensions of an image, counted from the last one: (-2, -1) of a plane."""
        return tuple(range(-len(self.range_shape), 0))

    @abstractmethod
    def forward(self, sharp: Tensor) -> Tensor:
        """Blur: shape (..., *domain_shape) to (..., *range_shape)."""

    @abstractmethod
    def adjoint(self, image: Tensor) -> Tensor:
        """Transpose of `forward`: shape (..., *range_shape) to (..., *domain_shape)."""

    @property
    def H(self) -> LinearOperator:  # noqa: N802 - the mathematical symbol
        """The adjoint as an operator."""
        return AdjointOperator(self)

    def norm(self, *, n_iterations: int = 50, seed: int = 0) -> Tensor:
        """Estimate the largest singular value of each batch element, by power iteration.

        Parameters
        ----------
        n_iterations
            Applications of A*A; the estimate approaches the norm from below.
        seed
            Seed of the random start.

        Returns
        -------
            Shape (...): that of the operator's own batch.
        """
        generator = torch.Generator().manual_seed(seed)
        place = next((buffer.device for buffer in self.buffers()), None)
        vector = torch.rand(self.domain_shape, generator=generator).to(place)
        size = torch.ones(())
        for _ in range(n_iterations):
            vector = self.adjoint(self.forward(vector))
            size = torch.linalg.vector_norm(vector, dim=self.dims, keepdim=True)
            vector = vector / size
        return size.sum(self.dims).sqrt()

    def preconditioned_adjoint(self, image: Tensor, curvature: Tensor) -> Tensor:  # noqa: ARG002
        """Compute a descent direction P A* image, between gradient descent and Newton's method.

        P = ((1 - s) ‖A‖² + s A*A)⁻¹, or what is near it. Where an operator knows no better, as if
        s = 0, by `norm`, whose power iteration is repeated at each call and gives steps that are
        a few per cent too long.

        Parameters
        ----------
        image
            Shape (N, *range_shape).
        curvature
            s between 0 and 1 for each image, shape (N,).

        Returns
        -------
            Shape (N, *domain_shape).
        """
        return self.adjoint(image) / self._per_image(self.norm().square())

    def extend(self, image: Tensor) -> Tensor:
        """Continue an image beyond its border by its outermost pixels.

        Shape (N, *range_shape) to (N, *domain_shape).
        """
        around = surrounding(self.range_shape, self.domain_shape)
        return functional.pad(image[:, None], around, mode="replicate")[:, 0]

    def _per_image(self, values: Tensor) -> Tensor:
        """One value for each image of a batch, so that it multiplies images."""
        return values.reshape(*values.shape, *(1 for _ in self.dims))

    def _check(self, image: Tensor, expected: tuple[int, ...]) -> None:
        if tuple(image.shape[-len(expected) :]) != expected:
            raise ValueError(f"expected shape (..., {expected}), got {tuple(image.shape)}")


def surrounding(inner: tuple[int, ...], outer: tuple[int, ...]) -> list[int]:
    """Widths that surround an image to a larger one, in the order of `torch.nn.functional.pad`."""
    around: list[int] = []
    for small, large in zip(reversed(inner), reversed(outer), strict=True):
        before = (large - small) // 2
        around += [before, large - small - before]
    return around


class AdjointOperator(LinearOperator):
    """The transpose A* of an operator A, itself an operator."""

    def __init__(self, operator: LinearOperator) -> None:
        super().__init__()
        self._operator = operator
        self.domain_shape = operator.range_shape
        self.range_shape = operator.domain_shape

    def forward(self, sharp: Tensor) -> Tensor:
        """Apply A*."""
        return self._operator.adjoint(sharp)

    def adjoint(self, image: Tensor) -> Tensor:
        """Apply A."""
        return self._operator.forward(image)

    @property
    def H(self) -> LinearOperator:  # noqa: N802 - the mathematical symbol
        """The original operator."""
        return self._operator
