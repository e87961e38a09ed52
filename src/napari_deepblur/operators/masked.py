"""A blur of which some pixels of the image were not recorded."""

from __future__ import annotations

from torch import Tensor

from napari_deepblur.operators.fourier_blur import FourierBlur
from napari_deepblur.operators.linear_operator import LinearOperator

__all__ = ["Masked"]


class Masked(LinearOperator):
    """Another blur, followed by zeros where no data was recorded: the adjoint ignores it there.

    Parameters
    ----------
    operator
        The blur.
    valid
        True where there is data, shape (Y, X) of the operator's range.

    Raises
    ------
    ValueError
        If the mask has another shape than the operator's range.
    """

    valid: Tensor

    def __init__(self, operator: FourierBlur, valid: Tensor) -> None:
        super().__init__()
        self._check_shape(valid, operator)
        self._operator = operator
        self.domain_shape, self.range_shape = operator.domain_shape, operator.range_shape
        self.register_buffer("valid", valid, persistent=False)

    @staticmethod
    def _check_shape(valid: Tensor, operator: FourierBlur) -> None:
        if tuple(valid.shape) != operator.range_shape:
            raise ValueError(f"expected a mask of {operator.range_shape}, got {tuple(valid.shape)}")

    def forward(self, sharp: Tensor) -> Tensor:
        """Blur: shape (..., *domain_shape) to (..., *range_shape), 0 where there is no data."""
        return self._operator.forward(sharp) * self.valid

    def adjoint(self, image: Tensor) -> Tensor:
        """Transpose of `forward`: shape (..., *range_shape) to (..., *domain_shape)."""
        return self._operator.adjoint(image * self.valid)

    def preconditioned_adjoint(self, image: Tensor, curvature: Tensor) -> Tensor:
        """Descent direction of the blur itself, as beyond the border: it does not overshoot."""
        return self._operator.preconditioned_adjoint(image * self.valid, curvature)

    def norm(self, *, n_iterations: int = 50, seed: int = 0) -> Tensor:
        """Upper bound of the norm: that of the blur."""
        return self._operator.norm(n_iterations=n_iterations, seed=seed)

    def crop(self, sharp: Tensor) -> Tensor:
        """Part of a domain image that the camera sees: shape (..., *range_shape)."""
        return self._operator.crop(sharp)
