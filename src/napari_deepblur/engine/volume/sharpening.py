"""Sharpen a stack whose blur is known, by accelerated Richardson-Lucy iterations."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from napari_deepblur.engine.volume.stack_blur import StackBlur

__all__ = ["Sharpening"]

#: Iterations with the PSF itself, before those that sharpen faster: first the light from beside
#: and from behind has to be found.
_N_GENTLE = 4

_DAMPING = 0.2

#: Light from outside the field that hardly reaches it is not raised by more than 1 / this.
_LEAST_SENSITIVITY = 0.5

_MOST_MOMENTUM = 0.95

#: Share of the mean light with which every voxel begins at least.
_LEAST_SHARE = 0.05

#: By which no voxel grows in one iteration.
_LARGEST_FACTOR = 10.0

#: Photons: no voxel is expected to hold fewer.
_LEAST = 1e-3

#: Iterations in which the background stays, as the sample has no form yet; and the share of
#: Newton's step in it that is gone.
_N_UNFORMED = 8
_BACKGROUND_STEP = 0.3

#: Largest b by that of the darkest places, which noise makes too dark.
_MOST_BACKGROUND = 1.3


class Sharpening:
    """Sample of a stack, on a domain larger than it on all sides, that grows sharper.

    x ← x (1 + B(y / μ - 1)), μ = A x + b, at a point that runs ahead along the last change
    (momentum as by Biggs & Andrews, "Acceleration of iterative image restoration algorithms",
    Appl. Opt. 36, 1997). B is the unmatched back-projector of Guo et al., "Rapid image
    deconvolution and multiview fusion", Nat. Biotechnol. 38 (2020).

    Works in place as far as it can: a domain has tens of millions of voxels.

    Parameters
    ----------
    photons
        Observed, shape (Z, Y, X).
    background
        b of the darkest places, photons per voxel.
    light
        Mean light above it, photons per voxel.
    blur
        A.
    damping
        λ of the back-projector H* (1 + λ) / (|H|² + λ). The smaller, the faster detail grows, and
        noise; with an infinite one it is the adjoint H*, which takes ten times more iterations.

    Attributes
    ----------
    background
        b, as it is taken to be now.
    momentum
        With which the next iteration runs ahead, unless it is told another one.
    """

    def __init__(
        self,
        photons: Tensor,
        background: float,
        light: float,
        blur: StackBlur,
        *,
        damping: float = _DAMPING,
    ) -> None:
        self.background = self._darkest = background
        self._photons, self._blur = photons, blur
        seen = self._adjoint(photons.new_ones(blur.shape))
        self._sensitivity = seen.clamp_min_(_LEAST_SENSITIVITY)
        self._n_gentle = _N_GENTLE if math.isfinite(damping) else math.inf
        self._damping = damping
        self._unmatched: Tensor | None = None
        self._domain = self._previous = self._light_seen(_LEAST_SHARE * light)
        self._change: Tensor | None = None
        self._length = self.momentum = 0.0
        self._n_done = 0

    @property
    def estimate(self) -> Tensor:
        """Sample within the stack, photons, shape (Z, Y, X)."""
        return self._blur.in_stack(self._domain)

    def expected(self) -> Tensor:
        """Photons that the stack should hold, by the sample and the background."""
        return self._expected(self._domain)

    def advance(self, momentum: float | None = None) -> Tensor:
        """Do an iteration; returns the photons that were expected where it began.

        Parameters
        ----------
        momentum
            By default as the last changes suggest, which takes more time and memory.
        """
        import torch

        ahead = 1 + (self.momentum if momentum is None else momentum)
        point = torch.lerp(self._previous, self._domain, ahead).clamp_min_(0)
        expected = self._expected(point)
        factor = self._back_projected(self._photons / expected - 1)
        following = factor.add_(1).clamp_(0, _LARGEST_FACTOR).mul_(point)
        self._previous, self._domain = self._domain, following
        if momentum is None:
            self._measure(torch.sub(following, point, out=point).flatten())
        return expected

    def adjust_background(self, other: Tensor, expected: Tensor) -> None:
        """Newton's step in b of the likelihood of photons that the sample has not seen.

        Photons that it has seen would take their noise for detail of the sample, and leave too
        little to the background.
        """
        if self._n_done > _N_UNFORMED:
            step = float((other / expected - 1).sum() / expected.reciprocal().sum())
            background = self.background + _BACKGROUND_STEP * step
            self.background = min(max(background, 0.0), _MOST_BACKGROUND * self._darkest)

    def _expected(self, sharp: Tensor) -> Tensor:
        return (self._blur.seen(sharp) + self.background).clamp_min_(_LEAST)

    def _adjoint(self, image: Tensor) -> Tensor:
        return self._blur.spread(image, self._blur.transfer.conj())

    def _light_seen(self, least: float) -> Tensor:
        """Light above the darkest places, blurred once more.

        An even light all over would be hard to tell from the background later.
        """
        light = (self._photons - self._darkest).clamp_min_(0)
        return self._adjoint(light).div_(self._sensitivity).clamp_min_(max(least, _LEAST))

    def _back_projected(self, misfit: Tensor) -> Tensor:
        self._n_done += 1
        if self._n_done <= self._n_gentle:
            return self._adjoint(misfit).div_(self._sensitivity)
        if self._unmatched is None:
            self._unmatched = _damped_inverse(self._blur.transfer, self._damping)
        return self._blur.spread(misfit, self._unmatched)

    def _measure(self, change: Tensor) -> None:
        if self._change is not None:
            along = float(change.dot(self._change)) / max(self._length, 1e-30)
            self.momentum = min(max(along, 0.0), _MOST_MOMENTUM)
        self._change, self._length = change, float(change.dot(change))


def _damped_inverse(transfer: Tensor, damping: float) -> Tensor:
    power = transfer.real.square().add_(transfer.imag.square())
    gain = power.add_(damping).reciprocal_().mul_(1 + damping)
    return transfer.conj() * gain
