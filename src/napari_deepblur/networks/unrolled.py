"""The deblurring network: FISTA, unrolled, with a learned proximal operator.

Where the OTF is small, gradient steps move little in 15 iterations. So the network's steps are
preconditioned: FISTA in the metric (1 - s) ‖A‖² + s A*A, whose s is learned for each
iteration and falls where there is more noise.

Source: Beck & Teboulle, "A fast iterative shrinkage-thresholding algorithm for linear
inverse problems", SIAM J. Imaging Sci. 2 (2009); unrolled over a family of operators by
Debarnot & Weiss, Biological Imaging 4:e13 (2024).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Self

import torch
from torch import Tensor, nn

from napari_deepblur.networks.proximal import ProximalNetwork
from napari_deepblur.operators import LinearOperator

__all__ = [
    "PACE",
    "DeblurringNetwork",
    "Unrolled",
    "UnrolledFista",
    "level_of_light",
    "overall_level",
]

#: Noise levels by the image's span: s is learned relative to one, and equal below the other.
_USUAL_NOISE, _LEAST_NOISE = 0.02, 0.002

#: These few numbers are of order 1, convolutions' weights of order 0.1, and an optimiser moves
#: all of them alike: stored in tens they learn as fast.
PACE = 10.0

_TINY = torch.finfo(torch.float32).tiny


class Unrolled(nn.Module, ABC):
    """An iterative method of deblurring whose iterations are layers of a network."""

    @property
    @abstractmethod
    def n_iterations(self) -> int:
        """Number of iterations."""

    @property
    def multiple(self) -> int:
        """Number of pixels by multiples of which an image may be moved and its result with it."""
        return 1

    def in_bfloat16(self) -> Self:
        """Let what can bear it compute in bfloat16 from now on; here nothing can."""
        return self

    @abstractmethod
    def iterate(
        self,
        image: Tensor,
        operator: LinearOperator,
        noise_level: Tensor,
        *,
        overall: Tensor | None = None,
    ) -> Iterator[Tensor]:
        """Yield the estimate after each iteration, shape (N, *operator.domain_shape).

        Parameters
        ----------
        image
            Observed, shape (N, *operator.range_shape).
        operator
            The blur, of one or N batch elements.
        noise_level
            Standard deviation of the noise in the image's unit, shape (N,), or a map of it,
            shape (N, *operator.range_shape).
        overall
            One number for a map of noise, shape (N,), which sets the steps; by default
            `level_of_light`. Tiles of one image share that of the whole.
        """

    def forward(self, image: Tensor, operator: LinearOperator, noise_level: Tensor) -> Tensor:
        """Deblur: the last of `iterate`."""
        *_, last = self.iterate(image, operator, noise_level)
        return last


class UnrolledFista(Unrolled):
    """FISTA with a proximal operator for each iteration and learned step sizes.

    It begins with the observed image, continued beyond its border: nearer to the sharp one than
    A* y, which darkens there.

    Parameters
    ----------
    proximal
        One module per iteration, called with the image and what `heard` makes of its noise.
    initial_step
        τ · ‖A‖² before training, between 0 and 1; learned steps stay inside.
    """

    def __init__(self, proximal: Sequence[nn.Module], *, initial_step: float = 0.95) -> None:
        super().__init__()
        self.proximal = nn.ModuleList(proximal)
        logit = math.log(initial_step / (1 - initial_step))
        self.step_logits = nn.Parameter(torch.full((len(proximal),), logit / PACE))

    @property
    def n_iterations(self) -> int:
        """Number of FISTA iterations."""
        return len(self.proximal)

    @property
    def steps(self) -> Tensor:
        """τ · ‖A‖² of each iteration, in (0, 1)."""
        return torch.sigmoid(PACE * self.step_logits)

    def curvature(self, noise_level: Tensor) -> Tensor:
        """Share s of A*A in each iteration's metric, shape (n_iterations, N); here 0.

        See `LinearOperator.preconditioned_adjoint`.
        """
        return noise_level.new_zeros(self.n_iterations, len(noise_level))

    def heard(self, noise_level: Tensor) -> Tensor:
        """Say the noise as the proximal operators are told it, once for all; here its level."""
        return noise_level

    def iterate(
        self,
        image: Tensor,
        operator: LinearOperator,
        noise_level: Tensor,
        *,
        overall: Tensor | None = None,
    ) -> Iterator[Tensor]:
        """Yield the estimate after each iteration: see `Unrolled.iterate`."""
        estimate = point = operator.extend(image)
        overall = overall_level(noise_level, image) if overall is None else overall
        if noise_level.ndim == image.ndim:
            noise_level = operator.extend(noise_level)
        heard = self.heard(noise_level)
        momentum = 1.0
        for proximal, step, curvature in zip(
            self.proximal, self.steps, self.curvature(overall), strict=True
        ):
            residual = operator.forward(point) - image
            slope = operator.preconditioned_adjoint(residual, curvature)
            previous = estimate
            estimate = proximal(torch.addcmul(point, slope, -step), heard)
            following = (1 + math.sqrt(1 + 4 * momentum**2)) / 2
            point = torch.lerp(previous, estimate, 1 + (momentum - 1) / following)
            momentum = following
            yield estimate


class DeblurringNetwork(UnrolledFista):
    """Unrolled preconditioned FISTA whose proximal operators are small CNNs.

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
        # From nearly gradient descent to nearly Newton's method, in which noise grows too.
        logits = torch.linspace(math.log(0.5), math.log(3.3), n_iterations)
        self.curvature_logits = nn.Parameter(logits / PACE)
        self.curvature_slopes = nn.Parameter(torch.ones(n_iterations) / PACE)
        self._multiple = unshuffle

    @property
    def multiple(self) -> int:
        """Side of the pixel blocks."""
        return self._multiple

    def in_bfloat16(self) -> Self:
        """Let the layers of the first half of the iterations compute in bfloat16.

        They change an image by a thousandth, so the rounding costs 1e-5 of the range; in the second
        half it would cost up to 1e-2, and tiles would differ from the whole by as much. Images, and
        all that the operator does, stay in float32.
        """
        for proximal in self.proximal[: (self.n_iterations + 1) // 2]:
            proximal.layers.bfloat16()
        return self

    def heard(self, noise_level: Tensor) -> Tensor:
        """Noise level as all proximal operators hear it: see `ProximalNetwork.hear`."""
        first = self.proximal[0]
        assert isinstance(first, ProximalNetwork)
        return first.hear(noise_level)

    def keep_units(self, units: Sequence[Sequence[Sequence[int]]]) -> None:
        """Leave out all but some units of each iteration's hidden layers.

        Parameters
        ----------
        units
            For each iteration as for `ProximalNetwork.keep_units`.
        """
        for proximal, kept in zip(self.proximal, units, strict=True):
            assert isinstance(proximal, ProximalNetwork)
            proximal.keep_units(kept)

    def curvature(self, noise_level: Tensor) -> Tensor:
        """Share s of A*A in each iteration's metric, shape (n_iterations, N), in (0, 1)."""
        relative = (noise_level.clamp_min(_LEAST_NOISE) / _USUAL_NOISE).log()
        logits = self.curvature_logits[:, None] - self.curvature_slopes[:, None] * relative
        return torch.sigmoid(PACE * logits)


def overall_level(noise_level: Tensor, image: Tensor) -> Tensor:
    """One noise level for each image, shape (N,), of levels (N,) or maps (N, Y, X)."""
    return noise_level if noise_level.ndim == 1 else level_of_light(noise_level, image)


def level_of_light(noise_level: Tensor, image: Tensor) -> Tensor:
    """Root mean square of noise maps (N, Y, X), each pixel weighted by its light: shape (N,).

    The metric of a step is one for the whole image. That of dark places, where most pixels may
    lie, would let the noise of the few bright ones grow.
    """
    light = image.clamp_min(0)
    variance = (noise_level.square() * light).sum((-2, -1)) / light.sum((-2, -1)).clamp_min(_TINY)
    return variance.sqrt()
