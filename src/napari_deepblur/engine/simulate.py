"""From a simulated microscope to the family of its blurs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.calibration.fit.extractor import Extraction
from napari_deepblur.calibration.simulated import (
    sample_psfs,
    simulated_family,
    simulated_microscope,
)
from napari_deepblur.engine.events import Job, Progress

if TYPE_CHECKING:
    from napari_deepblur.operators import ProductConvolutionFamily

__all__ = ["MicroscopeName", "Simulation", "simulate_family_job"]

#: Microscopes that can be simulated.
MicroscopeName = Literal["spim", "light-sheet", "widefield-fieldvarying"]

#: Of each microscope's family: its eigen-PSFs, the places along each axis of the field, fewer where
#: PSFs are large, and the cutoff at which networks see its images.
_N_EIGEN_PSFS: dict[MicroscopeName, int] = {"light-sheet": 6}
_N_PLACES: dict[MicroscopeName, int] = {"light-sheet": 5}
_SEEN_AT: dict[MicroscopeName, float] = {"light-sheet": 0.6}


@dataclass(frozen=True, slots=True)
class Simulation:
    """Family of a simulated microscope.

    Attributes
    ----------
    parameters
        Of the microscope that was simulated, by name, with its ranges.
    family
        Its blurs.
    energy
        Share of the PSFs' energy in the family's eigen-PSFs.
    fidelity_db
        PSF-SNR of the family's PSFs beside the simulated ones, at every place of every
        microscope, shape (T, M).
    mean_operator_db
        The same of the family's mean operator: what it costs not to know the microscope.
    """

    parameters: dict[str, Any]
    family: ProductConvolutionFamily
    energy: float
    fidelity_db: NDArray[np.float64]
    mean_operator_db: NDArray[np.float64]


def simulate_family_job(
    name: MicroscopeName, *, n_microscopes: int = 600, n_places: int | None = None, seed: int = 0
) -> Job[Simulation]:
    """Simulate differently adjusted microscopes and extract the family of their blurs.

    Parameters
    ----------
    name
        Of the microscope, one of `calibration.simulated.MICROSCOPES`.
    n_microscopes
        Adjustments drawn.
    n_places
        PSFs along each axis of the field; by default those that suit the microscope.
    seed
        Of the adjustments.

    Raises
    ------
    ValueError
        If there is no microscope of that name.
    """
    microscope = simulated_microscope(name)
    n_places = n_places or _N_PLACES.get(name, 7)
    states = microscope.draw(n_microscopes, seed=seed)
    samples = []
    for index in range(n_microscopes):
        state = {key: values[index] for key, values in states.items()}
        samples.append(sample_psfs(microscope, state, n_places))
        yield Progress(index + 1, n_microscopes, "simulating PSFs")
    yield Progress(n_microscopes, n_microscopes, "extracting the family")
    family, extraction = simulated_family(
        samples,
        microscope.optics,
        n_eigen_psfs=_N_EIGEN_PSFS.get(name, 4),
        pixel_area=microscope.pixel_area,
        seen_at=_SEEN_AT.get(name),
    )
    weights = np.einsum("tp,pkyx->tyxk", extraction.coefficients, extraction.maps)
    weights = weights.reshape(n_microscopes, -1, weights.shape[-1])
    true = np.stack([part.psfs for part in samples])
    return Simulation(
        microscope.model_dump(),
        family,
        float(extraction.eigen_psfs.energy[weights.shape[-1] - 1]),
        _snr(extraction, weights, true),
        _snr(extraction, weights.mean(0, keepdims=True), true),
    )


def _snr(
    extraction: Extraction, weights: NDArray[np.float64], true: NDArray[np.floating]
) -> NDArray[np.float64]:
    error = ((extraction.eigen_psfs.decode(weights) - true) ** 2).sum((-2, -1))
    snr: NDArray[np.float64] = -10 * np.log10(error / (true**2).sum((-2, -1)))
    return snr
