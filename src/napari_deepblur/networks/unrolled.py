"""The deblurring network: FISTA, unrolled, with a learned proximal operator.

Source: Beck & Teboulle, "A fast iterative shrinkage-thresholding algorithm for linear
inverse problems", SIAM J. Imaging Sci. 2 (2009); unrolled over a family of operators by
Debarnot & Weiss, Biological Imaging 4:e13 (2024).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from napari_deepblur.networks.proximal import ProximalNetwork
from napari_deepblur.operators import LinearOperator

__all__ = ["DeblurringNetwork", "UnrolledFista"]


class UnrolledFista(nn.Module):
    """FISTA with a proximal operator for each iteration and learned step sizes.

    Parameters
    ----------
    proximal
        One module per iteration, called with (image, noise_level).
    initial_step
        τ · ‖A‖² before training, between 0 and 1; learned steps stay inside.
    """

    def __init__(self, proximal: Sequence[nn.Module], *, initial_step: float = 0.95) -> None:
        super().__init__()
        self.proximal = nn.ModuleList(proximal)
        logit = math.log(initial_step / (1 - initial_step))
        self.step_logits = nn.Parameter(torch.full((len(proximal),), logit))

    @property
    def n_iterations(self) -> int:
        """Number of FISTA iterations."""
        return len(self.proximal)

    @property
    def steps(self) -> Tensor:
        """τ · ‖A‖² of each iteration, in (0, 1)."""
        return torch.sigmoid(self.step_logits)

    def iterate(
        self, image: Tensor, operator: LinearOperator, noise_level: Tensor
    ) -> Iterator[Tensor]:
        """Yield the estimate after each iteration, shape (N, *operator.domain_shape).

        Parameters
        ----------
        image
            Observed, shape (N, *operator.range_shape).
        operator
            The blur, of one or N batch elements.
        noise_level
            Standard deviation of the noise in the image's unit, shape (N,).
        """
        largest = operator.norm().square().reshape(-1, 1, 1)
        estimate = point = operator.adjoint(image)
        momentum = 1.0
        for proximal, step in zip(self.proximal, self.steps, strict=True):
            slope = operator.adjoint(operator.forward(point) - image)
            previous = estimate
            estimate = proximal(point - step / largest * slope, noise_level)
            following = (1 + math.sqrt(1 + 4 * momentum**2)) / 2
            point = estimate + (momentum - 1) / following * (estimate - previous)
            momentum = following
            yield estimate

    def forward(self, image: Tensor, operator: LinearOperator, noise_level: Tensor) -> Tensor:
        """Deblur: the last of `iterate`."""
        *_, last = self.iterate(image, operator, noise_level)
        return last


class DeblurringNetwork(UnrolledFista):
    """Unrolled FISTA whose proximal operators are small CNNs.

    Parameters
    ----------
    n_iterations
        FISTA iterations.
    n_channels, n_layers, unshuffle
        Of each `ProximalNetwork`.
    """

    def __init__(
        self,
        *,
        n_iterations: int = 15,
        n_channels: int = 32,
        n_layers: int = 4,
        unshuffle: int = 2,
    ) -> None:
        super().__init__(
            [
                ProximalNetwork(n_channels=n_channels, n_layers=n_layers, unshuffle=unshuffle)
                for _ in range(n_iterations)
            ]
        )
