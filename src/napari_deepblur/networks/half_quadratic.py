"""Half-quadratic splitting, unrolled, with one learned denoiser for all iterations.

Each iteration first brings the estimate, with some momentum, as near to the data as the noise
allows, exactly but for the unknown border; then a denoiser cleans it. The denoiser begins with
strong noise and ends with the image's own.

Sources: Geman & Yang, "Nonlinear image recovery with half-quadratic regularization", IEEE Trans.
Image Process. 4 (1995); with a learned denoiser: Zhang et al., IEEE TPAMI 44 (2022).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from napari_deepblur.networks.denoiser import Denoiser
from napari_deepblur.networks.unrolled import PACE, Unrolled, overall_level
from napari_deepblur.operators import LinearOperator

__all__ = ["HalfQuadraticNetwork"]

#: Noise levels by the image's span: the schedule is learned relative to one, and is the same
#: below the other.
_USUAL_NOISE, _LEAST_NOISE = 0.02, 0.002

#: Standard deviation with which the denoiser begins, and the weight of the data before training.
_FIRST_DEVIATION, _FIRST_WEIGHT = 0.1, 1 / 0.35

#: Share of an iteration's change that is added to the next one's start, before training. Without it
#: strong blurs of dense structures converge too slowly.
_FIRST_MOMENTUM = 0.3


class HalfQuadraticNetwork(Unrolled):
    """Unrolled half-quadratic splitting whose iterations share one `Denoiser`.

    In iteration k the denoiser is told the noise times a factor that depends on k and on the
    noise; where the noise is a map, its course over the field stays as it is.

    Parameters
    ----------
    n_iterations
        Number of iterations.
    n_channels, n_scales, n_blocks, unshuffle
        Of the `Denoiser`.
    """

    def __init__(
        self,
        *,
        n_iterations: int = 6,
        n_channels: int = 32,
        n_scales: int = 3,
        n_blocks: int = 1,
        unshuffle: int = 2,
    ) -> None:
        super().__init__()
        self._n_iterations = n_iterations
        self.denoiser = Denoiser(
            n_channels=n_channels, n_scales=n_scales, n_blocks=n_blocks, unshuffle=unshuffle
        )
        # The logarithm of the factor falls to 0, from the first deviation to the noise's own.
        left = torch.linspace(1, 0, n_iterations)
        self.log_factors = nn.Parameter(left * math.log(_FIRST_DEVIATION / _USUAL_NOISE) / PACE)
        self.log_slopes = nn.Parameter(-left / PACE)
        weight = math.log(_FIRST_WEIGHT)
        self.log_weights = nn.Parameter(torch.full((n_iterations,), weight / PACE))
        # The first iteration leads away from the observed image, which is no direction to keep.
        momenta = _FIRST_MOMENTUM * (torch.arange(n_iterations - 1) > 0)
        self.momenta = nn.Parameter(momenta / PACE)

    @property
    def n_iterations(self) -> int:
        """Number of iterations."""
        return self._n_iterations

    @property
    def multiple(self) -> int:
        """Side of a pixel of the coarsest scale."""
        return self.denoiser.multiple

    def schedule(self, noise_level: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the settings of each iteration for images of noise levels (N,).

        Returns
        -------
            The factors by which the denoiser is told more noise, and the shares s of A*A in the
            metric of the data (see `LinearOperator.preconditioned_adjoint`), both of shape
            (n_iterations, N).
        """
        relative = (noise_level.clamp_min(_LEAST_NOISE) / _USUAL_NOISE).log()
        log_factors = PACE * (self.log_factors[:, None] + self.log_slopes[:, None] * relative)
        shares = torch.sigmoid(PACE * self.log_weights[:, None] + 2 * log_factors)
        return log_factors.exp(), shares

    def iterate(
        self,
        image: Tensor,
        operator: LinearOperator,
        noise_level: Tensor,
        *,
        overall: Tensor | None = None,
    ) -> Iterator[Tensor]:
        """Yield the estimate after each iteration: see `Unrolled.iterate`."""
        uniform = noise_level.ndim == 1
        level = overall_level(noise_level, image) if overall is None else overall
        deviation = noise_level[:, None, None] if uniform else operator.extend(noise_level)
        previous = estimate = operator.extend(image)
        momenta = (0.0, *(PACE * self.momenta))
        for factor, share, momentum in zip(*self.schedule(level), momenta, strict=True):
            point = estimate + momentum * (estimate - previous)
            residual = image - operator.forward(point)
            step = operator.preconditioned_adjoint(residual, share)
            near_data = point + share[:, None, None] * step
            previous = estimate
            estimate = self.denoiser(
                near_data, (factor[:, None, None] * deviation).expand_as(near_data)
            )
            yield estimate
