"""Losses of an estimated blur: by the error of its PSF, or by that of its coefficients.

The network answers in PSF space, where γ and its twin are one point; so both losses are modulo
the twin. Train with the PSF's: a squared error in γ learns to answer small γ, that is, too
sharp a PSF.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from napari_deepblur.operators import EigenPsfSpace

__all__ = ["LOSSES", "BlurLoss", "CoefficientLoss", "PsfLoss"]

_AT_A_TIME = 256

#: Keeps the fit of coefficients defined where the PSF does not depend on them, as at γ = 0.
_DAMPING = 1e-3


class BlurLoss(ABC):
    """Cost of answers in an eigen-PSF space.

    Parameters
    ----------
    space
        In which answers are given.
    floor
        Errors below this count little: the loss is log(error + floor).
    """

    def __init__(self, space: EigenPsfSpace, floor: float) -> None:
        self._space = space
        self._floor = floor

    def __call__(self, answer: Tensor, truth: tuple[Tensor, ...]) -> Tensor:
        """Loss of each answer, shape (N, K) to (N,)."""
        return (self.error(answer, truth) + self._floor).log()

    def prepare(self, gamma: Tensor) -> tuple[Tensor, ...]:
        """Precompute what the loss needs of true coefficients (N, P): tensors with N rows."""
        parts = [self._prepare(part) for part in gamma.split(_AT_A_TIME)]
        return tuple(torch.cat(rows) for rows in zip(*parts, strict=True))

    @abstractmethod
    def _prepare(self, gamma: Tensor) -> tuple[Tensor, ...]: ...

    @abstractmethod
    def error(self, answer: Tensor, truth: tuple[Tensor, ...]) -> Tensor:
        """Squared error of each answer, shape (N,)."""


class PsfLoss(BlurLoss):
    """‖ĥ − h‖² / ‖h‖²."""

    @torch.no_grad()
    def _prepare(self, gamma: Tensor) -> tuple[Tensor, ...]:
        psf = self._space.family.psf(gamma)
        return self._space.encode(psf), psf.square().sum((-2, -1))

    def error(self, answer: Tensor, truth: tuple[Tensor, ...]) -> Tensor:
        """Squared error of each answer's PSF by its energy, shape (N,)."""
        coordinates, energy = truth
        difference = (answer - coordinates) * self._space.scale
        return difference.square().sum(-1) / energy


class CoefficientLoss(BlurLoss):
    """Mean of (γ̂ − γ)² by the limits' square, γ̂ fitted to the answer, to first order."""

    @torch.no_grad()
    def _prepare(self, gamma: Tensor) -> tuple[Tensor, ...]:
        weights, slope = self._space.weights_and_slopes(gamma)
        normal = slope.mT @ slope
        size = normal.diagonal(dim1=-2, dim2=-1).mean(-1)[:, None, None]
        damped = normal + _DAMPING * size * torch.eye(gamma.shape[-1], device=gamma.device)
        fit = torch.linalg.solve(damped, slope.mT)
        limits = self._space.family.admissible_set.high
        return weights, fit / limits[:, None]

    def error(self, answer: Tensor, truth: tuple[Tensor, ...]) -> Tensor:
        """Mean squared error of each answer's coefficients, shape (N,)."""
        weights, fit = truth
        difference = answer * self._space.scale - weights
        return (fit @ difference[..., None])[..., 0].square().mean(-1)


#: By the name that settings give it.
LOSSES: dict[str, type[BlurLoss]] = {"psf": PsfLoss, "coefficients": CoefficientLoss}
