"""The true sign of the even modes, from a focus series of one thin object.

One plane cannot tell γ from its twin (all even modes flipped). But defocus is an even mode, and
between the planes of a focus series it grows by a known amount: only one choice of twins lets
γ₄ grow so. Source: R. A. Gonsalves, "Phase retrieval and diversity in adaptive optics", Opt.
Eng. 21 (1982).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from napari_deepblur.optics.pupil import Pupil
from napari_deepblur.optics.settings import Optics

if TYPE_CHECKING:
    from napari_deepblur.operators.families import ZernikeFamily

__all__ = ["resolve_twins"]

#: By how much χ² must speak against the flipped series: odds of 100 to 1.
_DECISIVE = 2 * 4.6

#: χ² by its degrees of freedom above which the planes show no focus series at all.
_MISFIT = 4.0

#: No coefficient is known better than this, waves.
_SMALLEST_STD = 0.003

_N_REFINEMENTS = 8


def resolve_twins(
    coefficients: Tensor,
    std: Tensor,
    *,
    usable: Tensor,
    z_step_um: float,
    family: ZernikeFamily,
    optics: Optics,
) -> tuple[Tensor, bool]:
    """Choose between γ and its twin in every plane.

    Parameters
    ----------
    coefficients, std
        Coefficients γ of each plane, or their twin, and standard errors, shape (Z, P), waves RMS.
    usable
        Mask of the planes whose γ can be relied on, booleans (Z,).
    z_step_um
        Distance from one plane to the next, µm, in the sense of ``defocus_um`` of `Pupil.psf`.
    family
        Family of the coefficients.
    optics
        Optics of the image.

    Returns
    -------
        Coefficients, and whether their signs are now known; if not, they are as they were.
    """
    even = family.admissible_set.even
    slope = _defocus_per_um(family, optics)[even]
    if int(usable.sum()) < 2 or not bool(slope.any()):
        return coefficients, False
    z = z_step_um * torch.arange(len(coefficients), dtype=torch.float32)
    series = _Series(coefficients[usable][:, even], std[usable][:, even], z[usable, None] * slope)
    best, misfit = series.best()
    _, misfit_of_flipped = series.explain(-series.signs(best))
    n_free = series.seen.numel() - len(even)
    if misfit > _MISFIT * max(1, n_free) or misfit_of_flipped - misfit < _DECISIVE:
        return coefficients, False
    # Planes out of the model's reach have no say, but follow the others.
    every = _Series(coefficients[:, even], std[:, even], z[:, None] * slope)
    true = coefficients.clone()
    true[:, even] *= every.signs(best)
    return true, True


class _Series:
    """Even coefficients of some planes, up to a sign each; known defocus between the planes.

    Parameters
    ----------
    seen, std
        Coefficients and their standard errors, shape (Z, E).
    defocus
        Change of the coefficients by the distance of each plane, shape (Z, E).
    """

    def __init__(self, seen: Tensor, std: Tensor, defocus: Tensor) -> None:
        self.seen = seen
        self._weight = std.clamp_min(_SMALLEST_STD) ** -2
        self._defocus = defocus

    def signs(self, constant: Tensor) -> Tensor:
        """Find the sign (Z, 1) of each plane that brings it nearest to an aberration (E,)."""
        agreement = (self._weight * self.seen * (constant + self._defocus)).sum(-1, keepdim=True)
        return torch.where(agreement < 0, -1.0, 1.0)

    def explain(self, signs: Tensor) -> tuple[Tensor, float]:
        """Find the aberration (E,) that fits the planes best with these signs, and its χ²."""
        constants = signs * self.seen - self._defocus
        mean = (self._weight * constants).sum(0) / self._weight.sum(0)
        return mean, float((self._weight * (constants - mean).square()).sum())

    def best(self) -> tuple[Tensor, float]:
        """Find the aberration (E,) that fits the planes best with any signs, and its χ²."""
        # Each plane in turn is believed, with either sign, and the others follow.
        starts = torch.cat([self.seen - self._defocus, -self.seen - self._defocus])
        return min((self._refine(start) for start in starts), key=lambda found: found[1])

    def _refine(self, constant: Tensor) -> tuple[Tensor, float]:
        misfit = math.inf
        for _ in range(_N_REFINEMENTS):
            constant, misfit = self.explain(self.signs(constant))
        return constant, misfit


def _defocus_per_um(family: ZernikeFamily, optics: Optics) -> Tensor:
    """Compute the change of each coefficient by one µm of defocus, shape (P,), waves RMS."""
    pupil = Pupil(family.noll_indices, cutoff=optics.cutoff, optics=optics)
    return (pupil.modes * pupil.weights * pupil.axial).sum(-1)
