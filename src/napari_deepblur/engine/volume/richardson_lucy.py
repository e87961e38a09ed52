"""The sample of a stack whose blur is known, by accelerated Richardson-Lucy iterations."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

    from napari_deepblur.engine.volume.stack_blur import StackBlur

__all__ = [
    "DAMPING",
    "Fit",
    "Pace",
    "RichardsonLucy",
    "ahead",
    "deviance",
    "evened",
    "expected_of",
    "grown",
    "light_of",
    "start",
]

#: λ of the back-projector H* (1 + λ) / (|H|² + λ), which takes ten times fewer iterations than H*:
#: the smaller, the faster detail grows, and noise.
DAMPING = 0.2

#: Light from outside the field that hardly reaches it is not raised by more than 1 / this.
_LEAST_SENSITIVITY = 0.5

_MOST_MOMENTUM = 0.95

#: Share of the mean light with which every voxel begins at least.
_LEAST_SHARE = 0.05

#: Iterations in which the background stays, as the sample has no form yet.
_N_UNFORMED = 8

#: Largest b by that of the darkest places, which noise makes too dark.
_MOST_BACKGROUND = 1.3

#: Factor of the steps after one that made the fit worse, and their least length.
_SHORTER, _SHORTEST = 0.7, 0.2

#: By which no voxel grows in one iteration.
_LARGEST_FACTOR = 10.0

#: Photons: no voxel is expected to hold fewer.
_LEAST = 1e-3

#: Photons by what is expected, where nearly none are seen: its logarithm is still finite.
_LEAST_RATIO = 1e-30


@dataclass(frozen=True, slots=True)
class Pace:
    """Boldness with which a sample is sharpened.

    Attributes
    ----------
    n_gentle
        Iterations with the PSF itself, before those that sharpen faster: first the light from
        beside and from behind has to be found.
    background_step
        Share of Newton's step in the background that is gone.
    shortens
        Whether steps become shorter where the sample overshoots: single points do, in sharp PSFs.
    """

    n_gentle: int
    background_step: float
    shortens: bool


class Fit(NamedTuple):
    """Where an iteration began: the sample on its domain, and the photons expected of it."""

    sample: Tensor
    expected: Tensor


class RichardsonLucy:
    """Sample of a stack, on a domain larger than it, that grows sharper.

    x ← x (1 + B(y / μ - 1)), μ = A x + b, at a point that runs ahead along the last change
    (momentum as by Biggs & Andrews, "Acceleration of iterative image restoration algorithms",
    Appl. Opt. 36, 1997). B is the blur's adjoint at first, and later the unmatched back-projector
    of Guo et al., "Rapid image deconvolution and multiview fusion", Nat. Biotechnol. 38 (2020).

    Works in place as far as it can: a domain may have tens of millions of voxels.

    Parameters
    ----------
    photons
        Observed, shape (Z, Y, X).
    background
        b of the darkest places, photons per voxel, of which some may be light out of focus.
    blur
        A.
    pace
        How boldly.
    light
        Mean light above the background, photons per voxel; by default that of `photons`.
    damping
        λ of the back-projector; with an infinite one it stays the adjoint.

    Attributes
    ----------
    blur
        A, which may be exchanged for a better one between two iterations.
    background
        b, as it is taken to be now.
    domain
        Sample on the whole domain, photons.
    momentum
        With which the next iteration runs ahead, unless it is told another one.
    """

    def __init__(
        self,
        photons: Tensor,
        background: float,
        blur: StackBlur,
        pace: Pace,
        *,
        light: float | None = None,
        damping: float = DAMPING,
    ) -> None:
        self.blur = blur
        self.background = self._darkest = background
        self._photons, self._pace, self._damping = photons, pace, damping
        self._n_gentle = pace.n_gentle if math.isfinite(damping) else math.inf
        light = max(float(photons.mean()) - background, 0.0) if light is None else light
        self.domain = self._previous = self._light_seen(light)
        self._change: Tensor | None = None
        self._length = self.momentum = 0.0
        self._step, self._misfit = 1.0, math.inf
        self._n_done = 0

    @property
    def estimate(self) -> Tensor:
        """Sample within the stack, photons, shape (Z, Y, X)."""
        return self.blur.crop(self.domain)

    def expected(self) -> Tensor:
        """Photons that the stack should hold, by the sample and the background."""
        return self._expected(self.domain)

    def advance(self, momentum: float | None = None) -> Fit:
        """Do an iteration; returns the fit where it began.

        Parameters
        ----------
        momentum
            By default as the last changes suggest, which takes more time and memory.
        """
        point = ahead(self._previous, self.domain, self.momentum if momentum is None else momentum)
        expected = self._expected(point)
        if self._pace.shortens:
            self._shorten_step(deviance(self._photons, expected))
        factor = self._back_projected(self._photons / expected - 1).mul_(self._step)
        following = grown(point, factor)
        self._previous, self.domain = self.domain, following
        if momentum is None:
            self._measure((following - point).flatten())
        return Fit(point, expected)

    def adjust_background(self, other: Tensor, expected: Tensor) -> None:
        """Newton's step in b of the likelihood of photons that the sample has not seen.

        Photons that it has seen would take their noise for detail of the sample, and leave too
        little to the background.
        """
        if self._n_done > _N_UNFORMED:
            step = float((other / expected - 1).sum() / expected.reciprocal().sum())
            background = self.background + self._pace.background_step * step
            self.background = min(max(background, 0.0), _MOST_BACKGROUND * self._darkest)

    def _expected(self, sharp: Tensor) -> Tensor:
        return expected_of(self.blur.forward(sharp), self.background)

    def _light_seen(self, mean: float) -> Tensor:
        """Light above the darkest places, blurred once more.

        An even light all over would be hard to tell from the background later.
        """
        return start(self._gently(light_of(self._photons, self._darkest)), mean)

    def _shorten_step(self, misfit: float) -> None:
        if misfit > self._misfit and self._n_done > self._n_gentle:
            self._step = max(_SHORTER * self._step, _SHORTEST)
        self._misfit = misfit

    def _back_projected(self, misfit: Tensor) -> Tensor:
        self._n_done += 1
        if self._n_done <= self._n_gentle:
            return self._gently(misfit)
        return self.blur.spread(misfit, self.blur.damped_inverse(self._damping))

    def _gently(self, image: Tensor) -> Tensor:
        return evened(self.blur.adjoint(image), self.blur.sensitivity)

    def _measure(self, change: Tensor) -> None:
        if self._change is not None:
            along = float(change.dot(self._change)) / max(self._length, 1e-30)
            self.momentum = min(max(along, 0.0), _MOST_MOMENTUM)
        self._change, self._length = change, float(change.dot(change))


def light_of(photons: Tensor, darkest: float) -> Tensor:
    """Light above the darkest places."""
    return (photons - darkest).clamp_min_(0)


def start(blurred: Tensor, mean: float) -> Tensor:
    """Sample to begin with, by its light blurred once more, which is overwritten, and its mean."""
    return blurred.clamp_min_(max(_LEAST_SHARE * mean, _LEAST))


def ahead(previous: Tensor, sample: Tensor, momentum: float) -> Tensor:
    """Point that a sample reaches where it goes on as from the previous one."""
    import torch

    return torch.lerp(previous, sample, 1 + momentum).clamp_min_(0)


def expected_of(blurred: Tensor, background: float) -> Tensor:
    """Photons that are expected of a blurred sample, and never none."""
    return (blurred + background).clamp_min_(_LEAST)


def grown(point: Tensor, factor: Tensor) -> Tensor:
    """Sample by the point and its growth, which is overwritten."""
    return factor.add_(1).clamp_(0, _LARGEST_FACTOR).mul_(point)


def evened(image: Tensor, sensitivity: Tensor) -> Tensor:
    """Divide what the adjoint gives, in place, by the share of light that is seen."""
    return image.div_(sensitivity.clamp_min(_LEAST_SENSITIVITY))


def deviance(photons: Tensor, expected: Tensor) -> float:
    """Half the Poisson deviance Σ μ - y + y log(y / μ), which is 0 where y = μ."""
    import torch

    # Half of a photon count can be so small that the quotient underflows to 0.
    ratio = (photons / expected).clamp_min(_LEAST_RATIO)
    terms = expected - photons + torch.special.xlogy(photons, ratio)
    return float(terms.sum(dtype=torch.float64))
