"""Likelihood of a blur, given images of isolated beads: the coefficients that explain them best.

A bead far smaller than the blur shows the PSF itself, so nothing of the blur can be taken for
detail of the sample. Place, brightness and background of each bead are unknowns besides, and the
diameter that all share. Photons scatter as their number says, and the camera adds noise of its own:
both are one variance for each pixel (J. Chao, E. S. Ward & R. J. Ober, "Fisher information theory
for parameter estimation in single molecule microscopy", J. Opt. Soc. Am. A 33, 2016).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, fft

from napari_deepblur.likelihood.bead_patches import Beads
from napari_deepblur.likelihood.normal_equations import NormalEquations
from napari_deepblur.likelihood.whittle import BlurPrior
from napari_deepblur.optics.settings import CANONICAL_CUTOFF

if TYPE_CHECKING:
    from napari_deepblur.operators import OperatorFamily

__all__ = ["BeadFit", "BeadLikelihood"]

#: Pixels around a patch, so that light that leaves it does not come in on the other side.
_AROUND = 9

#: Beads are taken to be small unless their images say otherwise: mean of the exponential prior of
#: their variance along an axis, d² / 20 of a ball, in (λ / 4NA)². It is that of d = λ / 2NA.
_USUAL_SIZE = 0.2

#: The same where the search begins, and at most: d = 5 λ / 2NA.
_FIRST_SIZE, _LARGEST_SIZE = 0.05, 5.0

#: Width of the blur where the search for the size of beads begins, λ / 4NA.
_FIRST_WIDTH = 0.3

#: Beads are balls rather than points if that explains more than chance does, and a fair share of
#: what points leave above this misfit (noise is not read more exactly), or if points ask for a
#: wider blur than microscopes have, λ / 4NA. No PSF is exactly that of a model, and a ball would
#: make up for a little of anything.
_LEAST_CHANGE, _LEAST_SHARE, _ALL_EXPLAINED, _WIDEST = 10.0, 0.5, 1.1, 0.9

#: A step that gains less ends the search: in the end, and on the way by the cost.
_LEAST_GAIN, _LEAST_RELATIVE_GAIN = 0.01, 1e-4
_MOST_STEPS, _N_TRIALS = 30, 5

#: Starts that are followed, those whose PSFs are most like the beads: the likelihood has other
#: maxima than the highest, where spherical aberration stands for defocus.
_N_FOLLOWED = 8

#: Standard deviations of chance that are taken off what is left of a bead.
_BY_CHANCE = 3.0


@dataclass(frozen=True)
class BeadFit:
    """Blur that explains beads best.

    Attributes
    ----------
    coefficients, std
        Shape (P,).
    diameter
        Diameter of the beads, λ / 4NA; 0 where they cannot be told from points.
    light
        Sum of the counts of each bead, shape (B,).
    fitted
        Images of the beads as they ought to be, shape (B, h, h).
    unexplained
        Energy of what is left of each bead beyond noise, by the bead's own, shape (B,).
    contrast
        Energy of each bead by what that of the noise varies by chance, shape (B,).
    misfit
        Mean squared residual by the variance of the noise.
    """

    coefficients: Tensor
    std: Tensor
    diameter: float
    light: Tensor
    fitted: Tensor
    unexplained: Tensor
    contrast: Tensor
    misfit: float


@dataclass(frozen=True)
class _State:
    shared: Tensor  # (P + 1,): the coefficients, and the variance of a bead along an axis
    own: Tensor  # (B, 4): place y, x in the patch, light, ground


@dataclass(frozen=True)
class _Prediction:
    state: _State
    images: Tensor  # (B, h, h), of light 1 without ground
    shared: Tensor  # (B, P + 1, h, h), their slopes by what is shared
    places: Tensor  # (B, 2, h, h), and by the place
    fitted: Tensor  # (B, h, h)
    residual: Tensor  # (B, h, h), 0 where pixels are not used


class BeadLikelihood:
    """Likelihood of a blur, given beads that share it.

    Parameters
    ----------
    beads
        Images of the beads.
    family
        Family of the blur, at the pixels of the image.
    prior
        What is known of the coefficients before.
    """

    def __init__(self, beads: Beads, family: OperatorFamily, prior: BlurPrior) -> None:
        self.beads = beads
        self._family, self._prior = family, prior
        # So many samples for each pixel along an axis that PSFs hold no detail between them.
        self._fine = fine = 1 if family.cutoff <= CANONICAL_CUTOFF else 2
        self._finely = family.at_cutoff(family.cutoff / fine)
        self._has_width = family.n_coefficients > len(family.noll_indices)
        self._grid = grid = fine * (beads.counts.shape[-1] + _AROUND)
        y, x = fft.fftfreq(grid)[:, None], fft.rfftfreq(grid)[None]
        # In radians for a pixel of the image, and squared for λ / 4NA.
        self._turns = torch.stack(torch.broadcast_tensors(y, x)) * (2 * math.pi * fine)
        self._squared = self._turns.square().sum(0) * (CANONICAL_CUTOFF / family.cutoff) ** 2
        self._mean = torch.cat([prior.mean, torch.zeros(1)]).double()
        self._precision = torch.cat([prior.std, torch.tensor([_USUAL_SIZE])]).double() ** -2
        self._low = torch.cat([prior.low, torch.zeros(1)]).double()
        self._high = torch.cat([prior.high, torch.tensor([_LARGEST_SIZE])]).double()
        self._high_of_points = torch.cat([prior.high, torch.zeros(1)]).double()

    @torch.no_grad()
    def fit(self, starts: Tensor) -> BeadFit:
        """Find the maximum of the posterior by Levenberg-Marquardt.

        Parameters
        ----------
        starts
            Coefficients to begin with, shape (S, P), the more the better.
        """
        start = self._best_of(starts)
        size = torch.tensor([_FIRST_SIZE], dtype=torch.float64)
        if not self._has_width:
            return self._result(self._settled(self._begin(torch.cat([start, size])), self._high))
        point = self._begin(torch.cat([start, 0 * size]))
        points = self._settled(point, self._high_of_points)
        balls = self._settled(self._predict(self._as_balls(points.state)), self._high)
        gain = self.misfit(points) - self.misfit(balls)
        tells_size = gain > _LEAST_SHARE * (self.misfit(points) - _ALL_EXPLAINED)
        is_wide = float(points.state.shared[-2]) > _WIDEST
        are_balls = (tells_size or is_wide) and gain * self._n_free > _LEAST_CHANGE
        return self._result(balls if are_balls else points)

    @torch.no_grad()
    def glance(self, starts: Tensor) -> BeadFit:
        """Follow the likeliest start alone, in an eighth of the time of `fit`.

        Parameters
        ----------
        starts
            Coefficients to begin with, shape (S, P).
        """
        return self._result(self._followed(starts[self._likeness(starts).argmax()]))

    def _as_balls(self, state: _State) -> _State:
        """Give the beads the width of the blur."""
        shared = state.shared.clone()
        width = float(shared[-2])
        shared[-2] = min(width, _FIRST_WIDTH)
        shared[-1] = max(width**2 - _FIRST_WIDTH**2, _FIRST_SIZE)
        return replace(state, shared=shared)

    def misfit(self, point: _Prediction) -> float:
        """Mean squared residual by the variance of the noise."""
        chi2 = (point.residual.square() / self._variance(point)).sum(dtype=torch.float64)
        return float(chi2) / self._n_free

    @property
    def _n_free(self) -> int:
        n_unknown = 4 * len(self.beads) + len(self._mean)
        return max(int(self.beads.usable.sum()) - n_unknown, 1)

    def _best_of(self, starts: Tensor) -> Tensor:
        """Follow the likeliest starts: the coefficients where the best one leads."""
        if len(starts) == 1:
            return starts[0]
        likely = self._likeness(starts).argsort(descending=True)[:_N_FOLLOWED]
        found = [self._followed(start) for start in starts[likely]]
        return min(found, key=self.misfit).state.shared[:-1]

    def _followed(self, start: Tensor) -> _Prediction:
        """Follow a start, with beads that are points if the family has a width."""
        high = self._high_of_points if self._has_width else self._high
        size = torch.tensor([0.0 if self._has_width else _FIRST_SIZE])
        return self._search(self._begin(torch.cat([start, size]).double()), high)

    def _likeness(self, coefficients: Tensor) -> Tensor:
        """Energy of the beads that the PSF of coefficients (S, P) explains, by its best: (S,)."""
        psf = self._family.psf(coefficients)
        shape = [self.beads.counts.shape[-1] + psf.shape[-1]] * 2
        excess = self._excess()[0]
        met = fft.irfft2(fft.rfft2(psf, s=shape)[:, None].conj() * fft.rfft2(excess, s=shape))
        energy = psf.square().sum((-2, -1)).sqrt()
        likeness: Tensor = (met.amax((-2, -1)) / energy[:, None]).square().sum(1)
        return likeness

    def _excess(self) -> tuple[Tensor, Tensor]:
        """Take a rough ground, shape (B,), off the counts, which are 0 where of no use."""
        counts, usable = self.beads.counts, self.beads.usable
        ground = torch.where(usable, counts, math.nan).flatten(1).nanmedian(1).values
        return torch.where(usable, counts - ground[:, None, None], 0), ground

    def _settled(self, point: _Prediction, high: Tensor) -> _Prediction:
        """Search, then to the end with what the noise does not explain counted as noise."""
        point = self._search(point, high)
        temper = max(self.misfit(point), 1.0)
        return self._search(point, high, temper=temper, least_gain=_LEAST_GAIN)

    def _search(
        self, point: _Prediction, high: Tensor, *, temper: float = 1.0, least_gain: float = 0.0
    ) -> _Prediction:
        """Follow a start until a step gains little, or by default little of the whole cost."""
        damping = 1e-2
        for _ in range(_MOST_STEPS):
            # Photons scatter as the last prediction says.
            variance = temper * self._variance(point)
            cost = self._cost(point, variance)
            shared = point.state.shared
            normal = self._held(self._normal(point, variance), shared, high)
            for _ in range(_N_TRIALS):
                change, own = normal.damped(damping).solve()
                moved = (shared + change).clamp(self._low, high)
                trial = self._predict(_State(moved, point.state.own + own))
                trial_cost = self._cost(trial, variance)
                if trial_cost < cost:
                    break
                damping *= 6
            else:
                break
            point = trial
            damping = max(0.1 * damping, 1e-7)
            if cost - trial_cost < (least_gain or _LEAST_RELATIVE_GAIN * cost):
                break
        return point

    def _held(self, normal: NormalEquations, shared: Tensor, high: Tensor) -> NormalEquations:
        """Keep what lies at its bound and would leave it."""
        pull = normal.pull_shared
        free = ~(((shared <= self._low) & (pull < 0)) | ((shared >= high) & (pull > 0)))
        both = free[:, None] & free
        return replace(
            normal,
            shared=torch.where(both, normal.shared, torch.eye(len(free), dtype=torch.float64)),
            mixed=normal.mixed * free[:, None],
            pull_shared=pull * free,
        )

    def _cost(self, point: _Prediction, variance: Tensor) -> float:
        """Minus twice the logarithm of the posterior."""
        data = float((point.residual.square() / variance).sum(dtype=torch.float64))
        apart = (point.state.shared - self._mean)[:-1]
        known = float((self._precision[:-1] * apart.square()).sum())
        return data + known + 2 * float(point.state.shared[-1]) / _USUAL_SIZE

    def _slopes(self, point: _Prediction) -> tuple[Tensor, Tensor]:
        """Differentiate by what is shared, shape (B, P + 1, h²), and by the rest, (B, 4, h²)."""
        light = point.state.own[:, 2, None, None, None]
        plain = torch.stack([point.images, torch.ones_like(point.images)], 1)
        own = torch.cat([light * point.places, plain], 1)
        return (light * point.shared).flatten(2).double(), own.flatten(2).double()

    def _normal(self, point: _Prediction, variance: Tensor) -> NormalEquations:
        """Linearise the images of the beads at a point."""
        weight = (self.beads.usable / variance).flatten(1)[:, None].double()
        shared, own = self._slopes(point)
        residual = point.residual.flatten(1)[:, :, None].double()
        prior = self._precision * (point.state.shared - self._mean)
        prior[-1] = 1 / _USUAL_SIZE
        return NormalEquations(
            shared=((shared * weight) @ shared.mT).sum(0) + torch.diag(self._precision),
            mixed=(shared * weight) @ own.mT,
            own=(own * weight) @ own.mT,
            pull_shared=((shared * weight) @ residual)[..., 0].sum(0) - prior,
            pull_own=((own * weight) @ residual)[..., 0],
        )

    def _variances(self, point: _Prediction, n_alike: float) -> Tensor:
        """Variances of what is shared: by the noise and the misfit, and by where residuals are.

        The larger of two: of Fisher's information with all of the misfit as noise, and of the
        residuals as they are (H. White, Econometrica 48, 1980), which knows where noise is louder
        than it was taken to be. What the model leaves unexplained is alike in all beads: it does
        not average out.
        """
        variance = self._variance(point)
        normal = self._normal(point, variance)
        prior = torch.diag(self._precision)
        matrix, _ = normal.reduced()
        excess = max(self.misfit(point) - 1, 0.0)
        scale = 1 + n_alike * excess
        by_misfit = torch.linalg.inv((matrix - prior) / scale + prior).diagonal()
        shared, own = self._slopes(point)
        coupling = torch.linalg.solve(normal.own, normal.mixed.mT).mT
        pulls = (shared - coupling @ own) * (point.residual / variance).flatten(1)[:, None]
        met = torch.einsum("bpn,bqn->pq", pulls, pulls) * scale / (1 + excess)
        bread = torch.linalg.inv(matrix)
        by_residuals = (bread @ (met + prior) @ bread).diagonal()
        return torch.maximum(by_misfit, by_residuals).clamp_min(0)

    def _begin(self, shared: Tensor) -> _Prediction:
        """Predict at first guesses of places, light and grounds."""
        side = self.beads.counts.shape[-1]
        excess, ground = self._excess()
        middle = torch.full((len(excess), 2), side // 2, dtype=torch.float64)
        shared = shared.clamp(self._low, self._high)
        rough = torch.cat([middle, excess.sum((-2, -1))[:, None], ground[:, None]], 1)
        point = self._predict(_State(shared, rough))
        # A bead lies where its correlation with the PSF is highest.
        shape, reach = (2 * side, 2 * side), side // 4
        met = fft.irfft2(fft.rfft2(excess, s=shape) * fft.rfft2(point.images, s=shape).conj())
        near = met.roll((reach, reach), (-2, -1))[:, : 2 * reach + 1, : 2 * reach + 1]
        peak = near.flatten(1).argmax(1)
        moved = torch.stack([peak // (2 * reach + 1), peak % (2 * reach + 1)], 1) - reach
        point = self._predict(_State(shared, torch.cat([middle + moved, rough[:, 2:]], 1)))
        return self._predict(self._with_light(point))

    def _with_light(self, point: _Prediction) -> _State:
        """Light and ground of each bead by least squares."""
        usable = self.beads.usable
        design = torch.stack([point.images, torch.ones_like(point.images)], -1)
        design = (design * usable[..., None]).flatten(1, 2).double()
        counts = (self.beads.counts * usable).flatten(1)[..., None].double()
        linear = torch.linalg.solve(design.mT @ design, design.mT @ counts)[..., 0]
        return replace(point.state, own=torch.cat([point.state.own[:, :2], linear], 1))

    def _predict(self, state: _State) -> _Prediction:
        side = self.beads.counts.shape[-1]
        otf, slopes = self._finely.transfer(state.shared[:-1].float(), self._grid)
        ball, by_size = _ball(self._squared, float(state.shared[-1]))
        spectra = torch.cat([(otf * ball)[None], slopes * ball, (otf * by_size)[None]])
        angle = torch.einsum("bk,kyx->byx", state.own[:, :2].float(), self._turns)
        seen = spectra * torch.polar(torch.ones_like(angle), -angle)[:, None]
        moved = -1j * self._turns * seen[:, :1]
        every = fft.irfft2(torch.cat([seen, moved], 1), s=(self._grid, self._grid))
        pixels = slice(0, self._fine * side, self._fine)
        every = self._fine**2 * every[..., pixels, pixels]
        light, ground = (state.own[:, column, None, None].float() for column in (2, 3))
        fitted = light * every[:, 0] + ground
        residual = (self.beads.counts - fitted) * self.beads.usable
        return _Prediction(state, every[:, 0], every[:, 1:-2], every[:, -2:], fitted, residual)

    def _variance(self, point: _Prediction) -> Tensor:
        """Variance of the noise of each pixel, shape (B, h, h)."""
        light = (point.fitted - point.state.own[:, 3, None, None].float()).clamp_min(0)
        beads = self.beads
        return beads.dark_variance[:, None, None] + beads.gain[:, None, None] * light

    def _result(self, point: _Prediction) -> BeadFit:
        light, misfit = point.state.own[:, 2].clamp_min(0), self.misfit(point)
        variance = self._variance(point)
        n_alike = float(light.sum() ** 2 / light.square().sum().clamp_min(1e-12))
        noise = (variance * self.beads.usable).sum((-2, -1))
        bead = (light[:, None, None] * point.images * self.beads.usable).square().sum((-2, -1))
        by_chance = (2 * (variance * self.beads.usable).square().sum((-2, -1))).sqrt()
        left = point.residual.square().sum((-2, -1)) - noise - _BY_CHANCE * by_chance
        return BeadFit(
            coefficients=point.state.shared[:-1].float(),
            std=self._variances(point, n_alike)[:-1].sqrt().float(),
            diameter=math.sqrt(20 * float(point.state.shared[-1])),
            light=light,
            fitted=point.fitted,
            unexplained=(left / bead).clamp_min(0),
            contrast=bead / by_chance,
            misfit=misfit,
        )


def _ball(squared: Tensor, variance: float) -> tuple[Tensor, Tensor]:
    """Transfer function of a ball, and its slope by the ball's variance along an axis.

    Parameters
    ----------
    squared
        (2π f)² of each frequency.
    variance
        Squared diameter by 20.
    """
    u2 = 5 * variance * squared.double()  # (π f d)²
    u = u2.clamp_min(1e-4).sqrt()
    ball = 3 * (u.sin() - u * u.cos()) / u**3
    by_u2 = (3 * u.sin() / u**2 - 3 * ball / u) / (2 * u)
    small = u2 < 1e-2
    ball = torch.where(small, 1 - u2 / 10 + u2**2 / 280, ball)
    by_u2 = torch.where(small, -0.1 + u2 / 140, by_u2)
    return ball.float(), (5 * squared * by_u2).float()
