"""Blur of an image that holds isolated beads, fitted to them: they show the PSF itself.

The network reads a dark field with a few points badly, and the power spectrum tells little of it.
What is no bead, or is blurred in another way, shows by what the fit leaves unexplained: then the
estimate stays as it was.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_deepblur.engine.events import Job, Progress
from napari_deepblur.optics.settings import Optics

if TYPE_CHECKING:
    from torch import Tensor

    from napari_deepblur.engine.models import Model
    from napari_deepblur.likelihood.bead_patches import Beads
    from napari_deepblur.likelihood.beads import BeadFit

__all__ = ["fit_beads", "read_beads_job"]

#: Beads that are fitted at most, the brightest: each takes some hundredths of a second.
_MOST_BEADS = 64

#: Share of a bead's energy that the fit may leave unexplained: of any, and of all together.
_MOST_OF_ONE, _MOST_OF_ALL = 0.1, 0.025

#: Share of the spots' light that must be explained, and energy of a bright spot by what that of
#: the noise varies by chance.
_LEAST_EXPLAINED, _LEAST_CONTRAST = 0.7, 5.0

#: Beads are no larger, λ / 4NA; and no blur is as wide as this share of the widest of its family.
_LARGEST_BEAD, _WIDEST = 6.0, 0.9

#: Spots that are fitted first: of most images without beads these tell so already.
_N_FIRST = 4

#: Share of the energy that a first look leaves unexplained with the widest blur there is: cells and
#: nuclei leave 0.016 or more, beads of 0.5 µm less than 0.008.
_HOPELESS = 0.012

#: Blurs of the family from which the fit begins, besides the estimate.
_N_STARTS = 128


def read_beads_job(
    model: Model,
    coefficients: Tensor,
    std: Tensor,
    beads: list[Beads | None],
    *,
    optics: Optics,
    at: Progress,
) -> Job[tuple[Tensor, Tensor, list[int]]]:
    """Read blurs off isolated beads where there are any, as a job: yields before each.

    Parameters
    ----------
    model
        Model that the estimates are of.
    coefficients, std
        Estimates and their standard errors, shape (N, P).
    beads
        Spots that may be beads, for each of them.
    optics
        Optics of the image.
    at
        Progress to yield.

    Returns
    -------
        Coefficients and standard errors, shape (N, P), and the number of beads that each was read
        from, 0 where the estimate is as it was.
    """
    coefficients, std = coefficients.clone(), std.clone()
    n_beads = [0] * len(coefficients)
    for number, spots in enumerate(beads):
        if spots is None:
            continue
        yield at
        fit = fit_beads(spots, model, coefficients[number], optics)
        if fit is not None:
            coefficients[number], std[number] = fit.coefficients, fit.std
            n_beads[number] = len(fit.light)
    return coefficients, std, n_beads


def fit_beads(beads: Beads, model: Model, coefficients: Tensor, optics: Optics) -> BeadFit | None:
    """Fit the blur of a model's family to beads.

    Parameters
    ----------
    beads
        Spots that may be beads.
    model
        Model whose blur is the same everywhere.
    coefficients
        Other estimate of the blur, shape (P,).
    optics
        Optics of the image.

    Returns
    -------
        None if the spots are not explained: then they are no beads, or of another blur.
    """
    import torch

    from napari_deepblur.likelihood.beads import BeadLikelihood
    from napari_deepblur.likelihood.whittle import BlurPrior
    from napari_deepblur.operators import Box, ZernikeFamily

    beads = beads.brightest(_MOST_BEADS)
    family = model.family.at_optics(optics)
    assert isinstance(family, ZernikeFamily)
    bounds = family.admissible_set
    assert isinstance(bounds, Box)
    n_modes = len(family.noll_indices)
    nothing = torch.zeros(1, n_modes)
    mean, std = family.completed(nothing, torch.full_like(nothing, family.prior_std))
    prior = BlurPrior(mean[0], std[0], bounds.lowest, bounds.high)
    starts = torch.cat([coefficients[None], bounds.sample(_N_STARTS, seed=0)])
    first = BeadLikelihood(beads.brightest(_N_FIRST), family, prior)
    glance = first.glance(starts)
    if _is_widest(glance, bounds.high[n_modes:]) and _unexplained(glance) > _HOPELESS:
        return None
    fit = first.fit(starts)
    if not _are_small(fit, bounds.high[n_modes:]):
        return None
    if len(beads) > _N_FIRST:
        fit = BeadLikelihood(beads, family, prior).fit(fit.coefficients[None])
    clear = fit.contrast > _LEAST_CONTRAST
    good = clear & (fit.unexplained < _MOST_OF_ONE)
    if fit.light[good].sum() <= _LEAST_EXPLAINED * fit.light[clear].sum():
        return None
    if not good.all():
        fit = BeadLikelihood(beads.only(good), family, prior).fit(fit.coefficients[None])
    if _unexplained(fit) > _MOST_OF_ALL or not _are_small(fit, bounds.high[n_modes:]):
        return None
    folded = family.admissible_set.fold(fit.coefficients)
    return replace(fit, coefficients=folded)


def _unexplained(fit: BeadFit) -> float:
    """Share of the energy of all beads that a fit leaves unexplained."""
    energy = fit.light.square()
    return float((fit.unexplained * energy).sum() / energy.sum())


def _is_widest(fit: BeadFit, widest: Tensor) -> bool:
    """Tell whether a fit has the widest blur of its family."""
    width = fit.coefficients[len(fit.coefficients) - len(widest) :]
    return len(widest) > 0 and bool((width >= widest).all())


def _are_small(fit: BeadFit, widest: Tensor) -> bool:
    """Tell whether spots are no larger than beads, and their blur no wider than a microscope's."""
    width = fit.coefficients[len(fit.coefficients) - len(widest) :]
    return fit.diameter < _LARGEST_BEAD and bool((width < _WIDEST * widest).all())
