"""The sample of a stack whose blur is known, by accelerated Richardson-Lucy iterations."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

    from napari_deepblur.operators import VolumeBlur

__all__ = ["Fit", "Sample", "deviance"]

#: Iterations with the PSF itself, before those that sharpen faster: first the light from beside
#: and from behind has to be found.
_N_GENTLE = 10

#: λ of the back-projector H* (1 + λ) / (|H|² + λ), which takes ten times fewer iterations than H*:
#: the smaller, the faster detail grows, and noise.
_DAMPING = 0.2

#: Light from outside the field that hardly reaches it is not raised by more than 1 / this.
_LEAST_SENSITIVITY = 0.5

_MOST_MOMENTUM = 0.95

#: Share of the mean light with which every voxel begins at least.
_LEAST_SHARE = 0.05

#: Iterations in which the background stays, as the sample is not formed yet; and the share of
#: Newton's step in it that is gone.
_N_UNFORMED = 8
_BACKGROUND_STEP = 0.6

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


class Fit(NamedTuple):
    """A sample, as it was when an iteration began."""

    spectrum: Tensor
    expected: Tensor


class Sample:
    """Estimate of a sample on a domain larger than the stack on all six sides.

    x ← x (1 + B*(y / μ - 1)), μ = A x + b, at a point that runs ahead along the last change
    (momentum as by Biggs & Andrews, "Acceleration of iterative image restoration algorithms",
    Appl. Opt. 36, 1997). B* is the blur's adjoint at first, and later the unmatched back-projector
    of Guo et al., "Rapid image deconvolution and multiview fusion", Nat. Biotechnol. 38 (2020).

    Parameters
    ----------
    photons
        Observed, shape (Z, Y, X).
    background
        b of the darkest places, photons per voxel, of which some may be light out of focus.
    domain_shape
        (Z, Y, X) of the sample.

    Attributes
    ----------
    background
        b, as it is taken to be now.
    """

    def __init__(self, photons: Tensor, background: float, domain_shape: tuple[int, ...]) -> None:
        self._photons = photons
        self._darkest = background
        self._domain_shape = domain_shape
        self.start_anew()

    def start_anew(self) -> None:
        """Forget the estimate."""
        self.background = self._darkest
        self.estimate = self._previous = self._photons.new_zeros(self._domain_shape)
        self._change: Tensor | None = None
        self.momentum = 0.0
        self._step, self._misfit = 1.0, float("inf")
        self._n_done = 0

    def advance(self, blur: VolumeBlur) -> Fit:
        """Do an iteration with a blur; returns the fit before it."""
        if self._n_done == 0:
            self.estimate = self._previous = self._light_seen(blur)
        point = (self.estimate + self.momentum * (self.estimate - self._previous)).clamp_min_(0)
        spectrum = blur.spectrum(point)
        expected = blur.crop(blur.image(spectrum * blur.transfer)) + self.background
        expected = expected.clamp_min_(_LEAST)
        misfit = blur.spectrum(blur.embed(self._photons / expected - 1))
        self._shorten_step(deviance(self._photons, expected))
        step = self._back_projected(misfit, blur).mul_(self._step)
        factor = step.add_(1).clamp_(0, _LARGEST_FACTOR)
        following = point * factor
        self._move(following, following - point)
        return Fit(spectrum, expected)

    def adjust_background(self, other: Tensor, expected: Tensor) -> None:
        """Newton's step in b of the likelihood of photons that the sample has not seen.

        Photons that it has seen would take their noise for detail of the sample, and leave too
        little to the background.
        """
        if self._n_done > _N_UNFORMED:
            step = float((other / expected - 1).sum() / expected.reciprocal().sum())
            background = self.background + _BACKGROUND_STEP * step
            self.background = min(max(background, 0.0), _MOST_BACKGROUND * self._darkest)

    def _light_seen(self, blur: VolumeBlur) -> Tensor:
        """Light above the darkest places, blurred once more.

        An even light all over would be hard to tell from the background later.
        """
        light = (self._photons - self._darkest).clamp_min_(0)
        level = max(float(light.mean()), _LEAST)
        seen = blur.adjoint(light.new_ones(blur.range_shape)).clamp_min_(_LEAST_SENSITIVITY)
        return (blur.adjoint(light) / seen).clamp_min_(_LEAST_SHARE * level)

    def _shorten_step(self, misfit: float) -> None:
        """Take shorter steps from where the sample overshoots: single points do, in sharp PSFs."""
        if misfit > self._misfit and self._n_done > _N_GENTLE:
            self._step = max(_SHORTER * self._step, _SHORTEST)
        self._misfit = misfit

    def _back_projected(self, misfit: Tensor, blur: VolumeBlur) -> Tensor:
        self._n_done += 1
        adjoint = blur.transfer.conj()
        if self._n_done > _N_GENTLE:
            power = blur.transfer.real.square() + blur.transfer.imag.square()
            return blur.image(misfit * adjoint * ((1 + _DAMPING) / (power + _DAMPING)))
        seen = blur.adjoint(self._photons.new_ones(blur.range_shape))
        return blur.image(misfit * adjoint) / seen.clamp_min_(_LEAST_SENSITIVITY)

    def _move(self, following: Tensor, change: Tensor) -> None:
        if self._change is not None:
            along = float((change * self._change).sum())
            length = max(float(self._change.square().sum()), 1e-30)
            self.momentum = min(max(along / length, 0.0), _MOST_MOMENTUM)
        self._previous, self.estimate, self._change = self.estimate, following, change


def deviance(photons: Tensor, expected: Tensor) -> float:
    """Half the Poisson deviance Σ μ - y + y log(y / μ), which is 0 where y = μ."""
    import torch

    # Half of a photon count can be so small that the quotient underflows to 0.
    ratio = (photons / expected).clamp_min(_LEAST_RATIO)
    terms = expected - photons + torch.special.xlogy(photons, ratio)
    return float(terms.sum(dtype=torch.float64))
