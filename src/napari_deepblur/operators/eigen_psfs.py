"""The linear space near which all PSFs of a family lie.

The PSFs of a family depend on γ in a curved way, and two γ can have one PSF (the twin
ambiguity). In this space neither matters: the squared distance of coordinates is the squared
distance of PSFs.
"""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor, nn

from napari_deepblur.operators.families import ZernikeFamily

__all__ = ["EigenPsfSpace"]

#: Relative to the curvature. With fewer eigen-PSFs than coefficients the curvature is singular,
#: and what is smaller than this is lost in single precision.
_LEAST_DAMPING = 1e-6


class EigenPsfSpace(nn.Module):
    """Mean PSF and leading eigen-PSFs of a family.

    Parameters
    ----------
    family
        Family whose PSFs lie near the space.
    mean
        Mean PSF, shape (h, w).
    eigen_psfs
        Orthonormal eigen-PSFs, shape (K, h, w).
    scale
        Standard deviation of the weights of each eigen-PSF over the family, shape (K,).
        Coordinates are weights divided by it.
    n_starts
        Number of PSFs of the family from which `fit` chooses its starting points.
    """

    mean: Tensor
    eigen_psfs: Tensor
    scale: Tensor

    def __init__(
        self,
        family: ZernikeFamily,
        mean: Tensor,
        eigen_psfs: Tensor,
        scale: Tensor,
        *,
        n_starts: int = 4096,
    ) -> None:
        super().__init__()
        self.family = family
        self.n_starts = n_starts
        self.register_buffer("mean", mean)
        self.register_buffer("eigen_psfs", eigen_psfs)
        self.register_buffer("scale", scale)
        self.register_load_state_dict_post_hook(_forget_starts)  # type: ignore[no-untyped-call]

    @classmethod
    def empty(cls, family: ZernikeFamily, *, n_eigen_psfs: int) -> EigenPsfSpace:
        """Make a space of zeros, to be filled from a file."""
        window = family.pupil.window
        shape = (n_eigen_psfs, window, window)
        return cls(family, torch.zeros(shape[1:]), torch.zeros(shape), torch.zeros(n_eigen_psfs))

    @classmethod
    @torch.no_grad()
    def of(
        cls,
        family: ZernikeFamily,
        *,
        n_eigen_psfs: int = 64,
        n_samples: int = 4096,
        seed: int = 0,
    ) -> EigenPsfSpace:
        """Find the space by singular value decomposition of sampled PSFs.

        Parameters
        ----------
        family
            Family whose PSFs the space is to span.
        n_eigen_psfs
            Dimension of the space, K.
        n_samples
            Number of PSFs that are decomposed.
        seed
            Seed of the coefficients of these PSFs.
        """
        psfs = family.psf(family.admissible_set.sample(n_samples, seed=seed))
        mean = psfs.mean(0)
        flat = (psfs - mean).flatten(1).double()
        # The Gram matrix of 31² pixels is smaller than the samples' own.
        _, vectors = torch.linalg.eigh(flat.T @ flat)
        leading = vectors[:, -n_eigen_psfs:].flip(1)
        # An eigenvector's sign is arbitrary: fix it, so that files agree.
        strongest = leading.abs().argmax(0, keepdim=True)
        leading = leading * leading.gather(0, strongest).sign()
        scale = (flat @ leading).square().mean(0).sqrt().float()
        eigen_psfs = leading.T.float().reshape(-1, *mean.shape).contiguous()
        return cls(family, mean, eigen_psfs, scale)

    @property
    def n_eigen_psfs(self) -> int:
        """Dimension of the space, K."""
        return len(self.scale)

    def encode(self, psf: Tensor) -> Tensor:
        """Compute the coordinates of PSFs: shape (..., h, w) to (..., K)."""
        return self._project(psf - self.mean) / self.scale

    def weights_and_slopes(self, coefficients: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the weights of the eigen-PSFs in the PSF of γ, and their derivatives by γ.

        Parameters
        ----------
        coefficients
            Coefficients γ, shape (N, P).

        Returns
        -------
            Weights, shape (N, K): coordinates times `scale`. Derivatives, shape (N, K, P).
        """
        psf, slopes = self.family.pupil.psf_and_slopes(coefficients)
        return self._project(psf - self.mean), self._project(slopes).mT

    def decode(self, coordinates: Tensor) -> Tensor:
        """Compute the PSFs at coordinates, of the family or not: (..., K) to (..., h, w)."""
        change: Tensor = torch.tensordot(coordinates * self.scale, self.eigen_psfs, dims=1)
        return self.mean + change

    def _project(self, images: Tensor) -> Tensor:
        """Compute scalar products with the eigen-PSFs: shape (..., h, w) to (..., K)."""
        products: Tensor = images.flatten(-2) @ self.eigen_psfs.flatten(1).T
        return products

    @torch.no_grad()
    def fit(self, coordinates: Tensor, *, n_starts: int = 3, n_iterations: int = 12) -> Tensor:
        """Find the γ in C whose PSF is nearest to each point: coordinates (N, K) to (N, P).

        Projected Levenberg-Marquardt from the nearest of the sampled PSFs.
        """
        target = coordinates * self.scale
        starts, start_weights = self._starts
        distance = torch.cdist(target, start_weights.to(target.device))
        nearest = distance.topk(n_starts, largest=False).indices
        gamma = starts.to(target.device)[nearest].flatten(0, 1)
        target = target.repeat_interleave(n_starts, 0)
        gamma, misfit = self._levenberg_marquardt(gamma, target, n_iterations)
        best = misfit.reshape(-1, n_starts).argmin(1)
        picked: Tensor = gamma.reshape(len(coordinates), n_starts, -1)[range(len(best)), best]
        return picked

    @cached_property
    def _starts(self) -> tuple[Tensor, Tensor]:
        """Coefficients (n_starts, P) of the family, and weights (n_starts, K) of their PSFs."""
        starts = self.family.admissible_set.sample(self.n_starts, seed=0)
        return starts, self.encode(self.family.psf(starts)) * self.scale

    def _levenberg_marquardt(
        self, gamma: Tensor, target: Tensor, n_iterations: int
    ) -> tuple[Tensor, Tensor]:
        admissible = self.family.admissible_set
        damping = torch.full((len(gamma), 1, 1), 1e-2, device=gamma.device)
        identity = torch.eye(gamma.shape[-1], device=gamma.device)
        weights, slope = self.weights_and_slopes(gamma)
        residual = weights - target
        misfit = residual.square().sum(-1)
        for _ in range(n_iterations):
            normal = slope.mT @ slope
            size = normal.diagonal(dim1=-2, dim2=-1).mean(-1)[:, None, None]
            step = torch.linalg.solve(
                normal + damping * size * identity, slope.mT @ residual[..., None]
            )
            # Folded first: beyond the cut between twins the same PSF goes on, no wall stands.
            trial = admissible.project(admissible.fold(gamma - step[..., 0]))
            weights, trial_slope = self.weights_and_slopes(trial)
            trial_residual = weights - target
            trial_misfit = trial_residual.square().sum(-1)
            better = trial_misfit < misfit
            gamma = torch.where(better[:, None], trial, gamma)
            slope = torch.where(better[:, None, None], trial_slope, slope)
            residual = torch.where(better[:, None], trial_residual, residual)
            misfit = torch.where(better, trial_misfit, misfit)
            damping = torch.where(better[:, None, None], damping * 0.3, damping * 5)
            damping = damping.clamp_min(_LEAST_DAMPING)
        return gamma, misfit


def _forget_starts(space: EigenPsfSpace, _keys: object) -> None:
    space.__dict__.pop("_starts", None)
