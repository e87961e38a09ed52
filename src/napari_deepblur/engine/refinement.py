"""Estimates of the network, refined by the likelihood of the image's power spectrum.

At low noise the spectrum tells the blur far better than the network does; at high noise the
network's answer, which is the prior here, stays nearly as it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.events import Job, Progress

if TYPE_CHECKING:
    from torch import Tensor

    from napari_deepblur.engine.models import Model
    from napari_deepblur.likelihood.spectra import RegionSpectra

__all__ = ["refine_job", "spectra_of"]

#: Side of the regions of a plane whose spectra are told apart, pixels at the canonical cutoff.
_REGION = 384

#: Regions that are looked at for one blur: each takes a tenth of a second.
_MOST_REGIONS = 16

#: Mean squared residual of the spectra by their variance above which they are not explained, and
#: the network's answer stays.
_UNEXPLAINED_ABOVE = 2.0


def spectra_of(plane: NDArray[np.float32], band: float) -> RegionSpectra:
    """Power spectra of the regions of a plane at the canonical cutoff.

    Parameters
    ----------
    plane
        Shape (Y, X).
    band
        Highest frequency along each axis that the camera sampled, cycles per pixel.
    """
    import torch

    from napari_deepblur.likelihood.spectra import region_spectra

    return region_spectra(torch.from_numpy(plane), side=_REGION, band=band)


def refine_job(
    model: Model,
    coefficients: Tensor,
    std: Tensor,
    spectra: list[RegionSpectra],
    *,
    band: float,
    at: Progress,
) -> Job[tuple[Tensor, Tensor]]:
    """Refine estimates that the network gave, as a job: yields before each.

    Parameters
    ----------
    model
        Model that has a spectral prior.
    coefficients, std
        Estimates and their standard errors, shape (N, P).
    spectra
        Power spectra of the regions that share each blur, N of them.
    band
        Highest frequency along each axis that the camera sampled, cycles per pixel.
    at
        Progress to yield.

    Returns
    -------
        Coefficients and standard errors, shape (N, P).
    """
    import torch

    from napari_deepblur.likelihood.whittle import BlurPrior, SpectralLikelihood
    from napari_deepblur.operators import Box

    prior, card, family = model.spectral_prior, model.card.spectral_prior, model.family
    assert prior is not None
    assert card is not None
    bounds = family.admissible_set
    assert isinstance(bounds, Box)
    rows = []
    for gamma, spread, regions in zip(coefficients, std, spectra, strict=True):
        yield at
        if not len(regions):  # the field is too small
            rows.append((gamma, spread))
            continue
        likelihood = SpectralLikelihood(
            regions.clearest(_MOST_REGIONS),
            prior,
            lambda point: family.transfer_power(point, prior.grid),
            band=band,
            temper=card.temper,
        )
        # Either twin will do on the way.
        found = likelihood.refine(BlurPrior(gamma, spread, bounds.lowest, bounds.high))
        believed = found.misfit < _UNEXPLAINED_ABOVE
        rows.append(
            (found.coefficients, card.std_factor * found.std) if believed else (gamma, spread)
        )
    refined, errors = (torch.stack(part) for part in zip(*rows, strict=True))
    return bounds.fold(refined), errors
