"""Pupil of a stack from the stack itself: cross-validated maximum likelihood.

The photons are split into two independent halves. Each half has its own estimate of the sample,
and γ moves so that what is estimated from one half explains the *other*. A likelihood of the
same half would fit the noise too, and a sharper PSF fits more of it.

The sample cannot become as sharp as γ asks before noise is fitted, so γ of one pass is a little
short. A second pass begins anew with it; a third one would change nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_deepblur.engine.volume.richardson_lucy import Pace, RichardsonLucy, deviance
from napari_deepblur.engine.volume.stack_blur import StackBlur

if TYPE_CHECKING:
    from torch import Tensor

    from napari_deepblur.engine.volume.richardson_lucy import Fit
    from napari_deepblur.optics.pupil_3d import Aberrated, Pupil3d

__all__ = ["Identification", "Step"]

#: Iterations at most of the two passes, and of the one that begins with a wrong blur.
_N_FIRST, _N_SECOND, _N_ELSEWHERE = 60, 80, 40

#: Samples are formed with care, as every fault of theirs would be laid on the blur.
_PACE = Pace(n_gentle=10, background_step=0.6, shortens=True)

#: Iterations of a pass in which γ stays: the sample has no detail yet, and every PSF looks too
#: broad.
_N_HELD = 5

#: A pass ends where the held-out likelihood was best so many iterations ago. A single worse one
#: says nothing, as accelerated iterations overshoot.
_PATIENCE = 6

#: Of a Gauss-Newton step; the sample is about to move too.
_DAMPING = 0.5
_LONGEST_STEP = 0.03
_MOST_MOMENTUM = 0.9

#: How far the wrong blur is from the one that was found, waves in each mode whose prior is wider
#: than the second number.
_WRONG_BY, _LOW_ORDER_ABOVE = 0.06, 0.1

#: Waves by which γ may move until the derivatives of the transfer function are computed anew, and
#: iterations for which the curvature is kept.
_SAME_SLOPES, _SAME_CURVATURE = 0.1, 3


@dataclass(frozen=True, slots=True)
class Step:
    """State of an identification.

    Attributes
    ----------
    done, total
        Iterations, and how many there may be.
    coefficients
        γ, shape (P,), waves.
    checks
        True once γ is found, and only tried from elsewhere.
    """

    done: int
    total: int
    coefficients: Tensor
    checks: bool


class Identification:
    """γ of one volume of photons.

    Parameters
    ----------
    pupil
        On the domain.
    photons
        Two independent halves, each of shape (Z, Y, X).
    background
        Of one half, photons per voxel.
    prior_std
        Standard deviation of each coefficient before the stack was seen, waves, shape (P,).

    Attributes
    ----------
    coefficients
        γ as it is known now, waves, shape (P,).
    left
        By how far γ misses what was found where it begins with a wrong blur, waves, shape (P,);
        None where noise alone kept it from moving. A stack that tells its blur leaves next to
        nothing of any start.
    """

    def __init__(
        self,
        pupil: Pupil3d,
        photons: tuple[Tensor, Tensor],
        background: float,
        *,
        prior_std: Sequence[float],
    ) -> None:
        import torch

        self._pupil = pupil
        self._photons = photons
        self._shape = tuple(photons[0].shape)
        self._background = background
        self._samples: list[RichardsonLucy] = []
        self._prior = torch.tensor(prior_std).pow(-2).diag()
        self.coefficients = torch.zeros(len(prior_std))
        self.curvature: Tensor | None = None
        self.left: Tensor | None = None
        self._slopes: Tensor | None = None
        self._slopes_at = self.coefficients
        self._blur: StackBlur
        self._held_out: list[float] = []
        self._n_done = 0
        self._n_most = _N_FIRST + _N_SECOND + _N_ELSEWHERE

    def run(self) -> Iterator[Step]:
        """Do both passes, and one from elsewhere; yields before each half of each iteration."""
        yield from self._pass(_N_FIRST)
        yield from self._pass(_N_SECOND)
        yield from self._begin_elsewhere()

    def psf(self, shape: tuple[int, int, int]) -> Tensor:
        """PSF as it is now: its centre in the middle of a shape of odd sides, sum 1.

        Zero where the domain ends.
        """
        import torch

        whole = torch.fft.irfftn(self._blur.transfer, s=self._pupil.shape)
        psf = torch.zeros(shape)
        taken = psf
        for dim, (side, most) in enumerate(zip(shape, whole.shape, strict=True)):
            half = min(side, most - 1) // 2
            whole = whole.roll(half, dim).narrow(dim, 0, 2 * half + 1)
            taken = taken.narrow(dim, side // 2 - half, 2 * half + 1)
        taken.copy_(whole)
        return psf / psf.sum()

    def _begin_elsewhere(self) -> Iterator[Step]:
        import torch

        if self.curvature is None:  # noise alone: no pass came to moving γ
            return
        wrong = torch.where(self._prior.diag() < _LOW_ORDER_ABOVE**-2, _WRONG_BY, 0.0)
        wrong[::2] *= -1
        found = self.coefficients
        self.coefficients = found + wrong
        yield from self._pass(_N_ELSEWHERE, checks=True)
        self.left, self.coefficients = self.coefficients - found, found

    def _pass(self, n_iterations: int, *, checks: bool = False) -> Iterator[Step]:
        import torch

        gamma = previous = best = point = self.coefficients
        lowest, n_worse = float("inf"), 0
        self._held_out = []
        pupil = self._pupil.at(point)
        self._blur = StackBlur(pupil.transfer, self._shape, self._pupil.shape)
        self._samples = [
            RichardsonLucy(half, self._background, self._blur, _PACE) for half in self._photons
        ]
        for number in range(1, n_iterations + 1):
            moves = number > _N_HELD
            held_out, pull = 0.0, torch.zeros(())
            for index, sample in enumerate(self._samples):
                yield Step(self._n_done, self._n_most, gamma, checks)
                sample.blur = self._blur
                fit = sample.advance()
                other = self._photons[1 - index]
                held_out += deviance(other, fit.expected)
                sample.adjust_background(other, fit.expected)
                if moves:
                    pull = pull + self._pull(fit, other)
            self._n_done += 1
            self._held_out.append(held_out)
            n_worse = 0 if held_out < lowest else n_worse + 1
            if n_worse == 0:
                lowest, best = held_out, gamma
            elif n_worse >= _PATIENCE:
                break
            if moves:
                curvature = self.curvature
                if curvature is None or number % _SAME_CURVATURE == 0:
                    curvature = self.curvature = self._curvature(point, pupil)
                previous, gamma = gamma, self._moved(point, pupil.slope(pull), curvature)
                ahead = min(_MOST_MOMENTUM, sum(one.momentum for one in self._samples) / 2)
                point = gamma + ahead * (gamma - previous)
                pupil = self._pupil.at(point)
                self._blur = StackBlur(pupil.transfer, self._shape, self._pupil.shape)
        self.coefficients = best if n_worse else gamma

    def _pull(self, fit: Fit, other: Tensor) -> Tensor:
        """Spectrum of the held-out deviance's derivative by the PSF."""
        misfit = self._blur.spectrum(1 - other / fit.expected)
        return misfit.mul_(self._blur.spectrum(fit.sample).conj())

    def _moved(self, point: Tensor, slope: Tensor, curvature: Tensor) -> Tensor:
        import torch

        step = torch.linalg.solve(curvature + self._prior, slope + self._prior @ point)
        length = max(_DAMPING * float(step.abs().max()), 1e-12)
        moved: Tensor = point - _DAMPING * step * min(1.0, _LONGEST_STEP / length)
        return moved

    def _curvature(self, point: Tensor, pupil: Aberrated) -> Tensor:
        """Fisher information of both halves in γ if the sample were known, shape (P, P)."""
        import torch

        from napari_deepblur.optics.pupil_3d import multiplicity

        if self._slopes is None or float((point - self._slopes_at).abs().max()) > _SAME_SLOPES:
            self._slopes = torch.stack(list(pupil.transfer_slopes())).flatten(1)
            self._slopes_at = point
        power = sum(self._blur.spectrum(one.domain).abs().square() for one in self._samples)
        mean = float(self._photons[0].mean() + self._photons[1].mean()) / 2
        weights = power * multiplicity(self._pupil.shape[-1])
        weights = (weights / (mean * math.prod(self._pupil.shape))).flatten()
        fisher: Tensor = ((self._slopes * weights) @ self._slopes.mH).real
        return fisher
