"""Marginal likelihood of a blur: the coefficients that explain the power spectrum best.

The sharp image is not estimated: only its power spectrum enters, whose prior was learned. So the
likelihood has its maximum at the true blur, where a joint estimate of image and blur does not
(Fétick et al., "Blind deconvolution in astronomy with adaptive optics: the parametric marginal
approach", MNRAS 496, 2020). The likelihood of spectra is Whittle's ("Estimation and information in
stationary time series", Arkiv för Matematik 2, 1953), on the logarithm of the Welch spectrum.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from napari_deepblur.likelihood.normal_equations import NormalEquations
from napari_deepblur.likelihood.spectra import WINDOW, Leakage, RegionSpectra, bins_inside
from napari_deepblur.likelihood.spectral_prior import SpectralPrior

__all__ = ["BlurPrior", "Refined", "SpectralLikelihood", "TransferPower"]

#: |OTF|² of coefficients (P,) and its slopes by them, on the prior's grid of frequencies:
#: shapes (G, G / 2 + 1) and (P, G, G / 2 + 1).
TransferPower = Callable[[Tensor], tuple[Tensor, Tensor]]

#: Residuals of bins beyond this many standard deviations count linearly (Huber).
_HUBER = 2.5

#: Standard deviations of the logarithms of noise and level beside what the spectrum says of them.
_NOISE_STD, _LEVEL_STD = 0.03, 3.0

_TINY = 1e-20

#: An iteration that gains less ends the search.
_LEAST_GAIN = 1e-2

#: Dampings tried before the search is given up, each four times the last.
_N_TRIALS = 6


@dataclass(frozen=True)
class BlurPrior:
    """Normal prior of the coefficients, and the box that holds them.

    Attributes
    ----------
    mean, std
        Shape (P,).
    low, high
        Bounds, shape (P,).
    """

    mean: Tensor
    std: Tensor
    low: Tensor
    high: Tensor


@dataclass(frozen=True)
class Refined:
    """Coefficients that explain the spectra best.

    Attributes
    ----------
    coefficients, std
        Maximum of the posterior, and its standard errors, shape (P,).
    misfit
        Mean squared residual of the log spectra by its variance; about 1 or less if all is well.
    """

    coefficients: Tensor
    std: Tensor
    misfit: float


@dataclass(frozen=True)
class _State:
    """One point of the search: the coefficients, and what each region has for itself."""

    gamma: Tensor  # (P,)
    components: Tensor  # (B, K)
    level: Tensor  # (B,), logarithm
    noise: Tensor  # (B,), logarithm

    @property
    def own(self) -> Tensor:
        """The regions' own unknowns, shape (B, K + 2)."""
        return torch.cat([self.components, self.level[:, None], self.noise[:, None]], 1)

    def moved(self, gamma: Tensor, own: Tensor) -> _State:
        """Another point: coefficients, and a step of the regions' own unknowns."""
        return _State(
            gamma, self.components + own[:, :-2], self.level + own[:, -2], self.noise + own[:, -1]
        )


@dataclass(frozen=True)
class _Prediction:
    """A point of the search with what it predicts of the spectra."""

    state: _State
    sharp: Tensor  # (B, G, G / 2 + 1), power of the sharp image
    transfer: Tensor  # (G, G / 2 + 1), |OTF|²
    slopes: Tensor  # (P, G, G / 2 + 1)
    seen: Tensor  # (B, bins), power of the blurred image
    residual: Tensor  # (B, bins), of the log spectra


class SpectralLikelihood:
    """Likelihood of a blur, given power spectra of regions that share the blur.

    Parameters
    ----------
    spectra
        Spectra of the regions.
    prior
        Prior of sharp images' spectra.
    transfer_power
        |OTF|² of the blur family and its slopes.
    band
        Highest frequency along each axis that the camera sampled, cycles per pixel.
    temper
        Weight of each bin's likelihood, below 1 because errors of neighbouring bins are alike.
    """

    def __init__(
        self,
        spectra: RegionSpectra,
        prior: SpectralPrior,
        transfer_power: TransferPower,
        *,
        band: float = 0.5,
        temper: float = 0.2,
    ) -> None:
        self.prior = prior
        self.temper = temper
        self._transfer_power = transfer_power
        self._leakage = Leakage()
        self._inside = bins_inside(WINDOW, band)
        self.noise = spectra.noise.clamp_min(_TINY)
        # The logarithm of a mean of n exponential variables is low by half of 1 / n.
        scatter = 1 / spectra.n_windows[:, None]
        self.log_power = self._bins(spectra.power).clamp_min(_TINY).log() + 0.5 * scatter
        self._scatter = scatter
        self._remainder = self._bins(prior.remainder[::2, ::2])
        # Bins at the edges of the half spectrum stand for themselves only.
        multiplicity = torch.ones(WINDOW, WINDOW // 2 + 1)
        multiplicity[:, [0, -1]] = 0.5
        self.multiplicity = self._bins(multiplicity)

    @torch.no_grad()
    def refine(self, blur: BlurPrior, *, n_iterations: int = 14) -> Refined:
        """Find the maximum of the posterior by Levenberg-Marquardt, from the prior's mean.

        Parameters
        ----------
        blur
            What is known of the coefficients before.
        n_iterations
            Largest number of iterations.
        """
        search = _Search(self, blur)
        point = search.start
        cost = search.cost(point)
        damping = 1e-2
        for _ in range(n_iterations):
            normal = search.normal_equations(point)
            for _ in range(_N_TRIALS):
                trial = search.stepped(point, normal, damping)
                trial_cost = search.cost(trial)
                if trial_cost < cost:
                    break
                damping *= 4
            else:
                break
            gain, point, cost = cost - trial_cost, trial, trial_cost
            damping = max(0.3 * damping, 1e-6)
            if gain < _LEAST_GAIN:
                break
        matrix, _ = search.normal_equations(point).reduced()
        std = torch.linalg.inv(matrix).diagonal().clamp_min(0).sqrt().float()
        return Refined(point.state.gamma, std, float(search.misfit(point).mean()))

    def predict(self, state: _State) -> _Prediction:
        """Compute the log spectra at a point of the search, and what they miss."""
        logs = self.prior.mean + torch.tensordot(state.components, self.prior.components, 1)
        sharp = (logs + state.level[:, None, None]).exp()
        transfer, slopes = self._transfer_power(state.gamma)
        seen = self._bins(self._leakage(sharp * transfer)).clamp_min(_TINY)
        total = seen + state.noise.exp()[:, None]
        return _Prediction(state, sharp, transfer, slopes, seen, self.log_power - total.log())

    def weights(self, point: _Prediction) -> Tensor:
        """Inverse variance of each bin's log power: scatter, and the prior's remainder."""
        share = point.seen / (point.seen + self.noise[:, None])
        return 1 / (self._scatter + share.square() * self._remainder)

    def slopes(self, point: _Prediction) -> tuple[Tensor, Tensor]:
        """Differentiate the log spectra by the coefficients and by each region's own unknowns.

        Returns
        -------
            Shapes (B, P, bins) and (B, K + 2, bins).
        """
        noise = point.state.noise.exp()[:, None].expand_as(point.seen)
        total = (point.seen + noise)[:, None]
        shared = self._bins(self._leakage(point.sharp[:, None] * point.slopes))
        signal = point.sharp * point.transfer
        shapes = self._bins(self._leakage(signal[:, None] * self.prior.components))
        own = torch.cat([shapes, point.seen[:, None], noise[:, None]], 1)
        return shared / total, own / total

    def _bins(self, spectrum: Tensor) -> Tensor:
        """Pick the bins that are looked at: (..., W, W / 2 + 1) to (..., bins)."""
        return spectrum[..., self._inside]


class _Search:
    """Cost and steps of the search for the maximum of the posterior."""

    def __init__(self, likelihood: SpectralLikelihood, blur: BlurPrior) -> None:
        self._likelihood = likelihood
        self._blur = blur
        n_regions, n_components = len(likelihood.noise), len(likelihood.prior.components)
        state = _State(
            blur.mean.clone(),
            torch.zeros(n_regions, n_components),
            torch.zeros(n_regions),
            likelihood.noise.log(),
        )
        signal = (likelihood.log_power.exp() - likelihood.noise[:, None]).clamp_min(0)
        expected = likelihood.predict(state).seen
        level = (signal.sum(1) / expected.sum(1)).clamp_min(_TINY).log()
        self.start = likelihood.predict(replace(state, level=level))
        self._weight = likelihood.weights(self.start)
        self._expected = self.start.state.own
        spread = torch.tensor([_LEVEL_STD, _NOISE_STD])
        of_components = torch.full((n_components,), likelihood.temper)
        self._precision = torch.cat([of_components, spread**-2])

    def misfit(self, point: _Prediction) -> Tensor:
        """Squared residuals of the log spectra by their variance, beyond Huber's bound linear."""
        size = point.residual.abs() * self._weight.sqrt()
        return torch.where(size < _HUBER, size.square(), 2 * _HUBER * size - _HUBER**2)

    def cost(self, point: _Prediction) -> float:
        """Minus twice the logarithm of the posterior."""
        data = (self.misfit(point) * self._likelihood.multiplicity).sum()
        blur = ((point.state.gamma - self._blur.mean) / self._blur.std).square().sum()
        own = (self._precision * (point.state.own - self._expected).square()).sum()
        return float(self._likelihood.temper * data + blur + own)

    def normal_equations(self, point: _Prediction) -> NormalEquations:
        """Linearise the log spectra at a point."""
        shared, own = self._likelihood.slopes(point)
        size = point.residual.abs() * self._weight.sqrt()
        robust = _HUBER / size.clamp_min(_HUBER) * self._weight
        robust = (robust * self._likelihood.multiplicity * self._likelihood.temper)[:, None]
        pull = point.residual[:, None] * robust
        state, blur = point.state, self._blur
        return NormalEquations(
            shared=((shared * robust) @ shared.mT).sum(0) + torch.diag(blur.std**-2),
            mixed=(shared * robust) @ own.mT,
            own=(own * robust) @ own.mT + torch.diag(self._precision),
            pull_shared=(shared * pull).sum((0, 2)) - (state.gamma - blur.mean) * blur.std**-2,
            pull_own=(own * pull).sum(2) - self._precision * (state.own - self._expected),
        ).double()

    def stepped(self, point: _Prediction, normal: NormalEquations, damping: float) -> _Prediction:
        """Step to the minimum of the linearised cost, within the coefficients' bounds."""
        change, own = normal.damped(damping).solve()
        gamma = (point.state.gamma + change.float()).clamp(self._blur.low, self._blur.high)
        return self._likelihood.predict(point.state.moved(gamma, own.float()))
