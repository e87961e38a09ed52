"""Mathematical properties that every linear operator has; each operator's tests call them.

Operators under test are best built in double precision, where the tolerances are tight.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from napari_deepblur.operators import LinearOperator


def random_images(shape: tuple[int, ...], *, batch: tuple[int, ...] = (), seed: int = 0) -> Tensor:
    """Images of independent normal values in double precision, shape (*batch, *shape)."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*batch, *shape, generator=generator, dtype=torch.float64)


def inner_product(a: Tensor, b: Tensor, n_dimensions: int = 2) -> Tensor:
    """⟨a, b⟩ over the last dimensions: shape (..., Y, X) to (...) by default."""
    return (a * b).flatten(-n_dimensions).sum(-1)


def dense_matrix(operator: LinearOperator) -> Tensor:
    """The operator as a matrix (pixels of the range, pixels of the domain)."""
    units = torch.eye(math.prod(operator.domain_shape), dtype=torch.float64)
    return operator.forward(units.reshape(-1, *operator.domain_shape)).flatten(1).T


def assert_adjoint(
    operator: LinearOperator, *, batch: tuple[int, ...] = (), tolerance: float = 1e-10
) -> None:
    """⟨A x, y⟩ = ⟨x, A* y⟩ for each batch element."""
    x = random_images(operator.domain_shape, batch=batch, seed=1)
    y = random_images(operator.range_shape, batch=batch, seed=2)
    n_dimensions = len(operator.range_shape)
    left = inner_product(operator.forward(x), y, n_dimensions)
    right = inner_product(x, operator.adjoint(y), n_dimensions)
    scale = x.square().sum().sqrt() * y.square().sum().sqrt()
    assert left.shape == right.shape
    assert float((left - right).abs().max() / scale) < tolerance


def assert_gradient_is_adjoint(
    operator: LinearOperator, *, batch: tuple[int, ...] = (), tolerance: float = 1e-10
) -> None:
    """The gradient of ⟨A x, y⟩ in x is A* y, and that of ⟨A* y, x⟩ in y is A x."""
    x = random_images(operator.domain_shape, batch=batch, seed=3).requires_grad_()
    y = random_images(operator.range_shape, batch=batch, seed=4).requires_grad_()
    image, sharp = operator.forward(x), operator.adjoint(y)
    (by_sharp,) = torch.autograd.grad((image * y.detach()).sum(), x)
    (by_image,) = torch.autograd.grad((sharp * x.detach()).sum(), y)
    torch.testing.assert_close(by_sharp, sharp.detach(), rtol=0, atol=tolerance)
    torch.testing.assert_close(by_image, image.detach(), rtol=0, atol=tolerance)


def assert_linear(
    operator: LinearOperator, *, batch: tuple[int, ...] = (), tolerance: float = 1e-10
) -> None:
    """A(a x₁ + b x₂) = a A x₁ + b A x₂, and the same for A*."""
    for apply, shape in (
        (operator.forward, operator.domain_shape),
        (operator.adjoint, operator.range_shape),
    ):
        first = random_images(shape, batch=batch, seed=5)
        second = random_images(shape, batch=batch, seed=6)
        together = apply(2.5 * first - 0.7 * second)
        apart = 2.5 * apply(first) - 0.7 * apply(second)
        torch.testing.assert_close(together, apart, rtol=0, atol=tolerance)


def assert_shapes(operator: LinearOperator, *, batch: tuple[int, ...] = ()) -> None:
    """Both directions map the domain's and the range's shapes, batch in front."""
    image = operator.forward(random_images(operator.domain_shape, batch=batch))
    sharp = operator.adjoint(random_images(operator.range_shape, batch=batch))
    assert image.shape == (*batch, *operator.range_shape)
    assert sharp.shape == (*batch, *operator.domain_shape)


def assert_norm_bounds(operator: LinearOperator, *, excess: float, rounding: float = 1e-6) -> None:
    """`norm` is no smaller than the largest singular value, and larger by `excess` at most."""
    true = float(torch.linalg.matrix_norm(dense_matrix(operator), ord=2))
    norm = float(operator.norm())
    assert true * (1 - rounding) <= norm <= true * (1 + excess)


def assert_preconditioned_steps_never_overshoot(
    operator: LinearOperator, *, tolerance: float = 1e-9
) -> None:
    """P A*A has its eigenvalues between 0 and 1, the nearer to 1 the larger the curvature."""
    dense = dense_matrix(operator)
    units = torch.eye(len(dense), dtype=torch.float64).reshape(-1, *operator.range_shape)
    means = []
    for curvature in (0.0, 0.5, 0.95, 0.999):
        share = torch.full((len(units),), curvature, dtype=torch.float64)
        directions = operator.preconditioned_adjoint(units, share).flatten(1).T
        eigenvalues = torch.linalg.eigvals(directions @ dense)
        assert float(eigenvalues.imag.abs().max()) < tolerance
        assert -tolerance < float(eigenvalues.real.min())
        assert float(eigenvalues.real.max()) < 1 + tolerance
        means.append(float(eigenvalues.real.mean()))
    assert means == sorted(means)


def assert_is_linear_operator(operator: LinearOperator, *, batch: tuple[int, ...] = ()) -> None:
    """All the properties that need no number."""
    assert_shapes(operator, batch=batch)
    assert_linear(operator, batch=batch)
    assert_adjoint(operator, batch=batch)
    assert_gradient_is_adjoint(operator, batch=batch)
