"""Summary of all acquisitions: eigen-PSFs, maps and coefficients as the result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from napari_deepblur.calibration.bead_samples import BeadSamples
from napari_deepblur.calibration.beads import BeadStatus
from napari_deepblur.calibration.calibrated_family import calibrated_family, measured_cutoff
from napari_deepblur.calibration.fit.cross_validation import (
    MOST_EIGEN_PSFS,
    PredictionErrors,
    pooled,
    with_pedestal,
)
from napari_deepblur.calibration.fit.extractor import Extraction, extract
from napari_deepblur.calibration.fit.modes import EigenPsfs, find_eigen_psfs
from napari_deepblur.calibration.notes import notes_of
from napari_deepblur.calibration.result import CalibrationResult
from napari_deepblur.calibration.settings import CalibrationSettings

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["choose_number", "summarise"]

#: Share of what varies that is enough.
_ENOUGH = 0.99


def choose_number(errors: PredictionErrors, eigen_psfs: EigenPsfs, most: int) -> int:
    """Choose K: as few as predict as well as any number, no more than hold 99 % of what varies.

    Parameters
    ----------
    errors
        Errors of all PSFs that could be predicted; perhaps none.
    eigen_psfs
        More eigen-PSFs than will be needed.
    most
        Upper limit of K.
    """
    shares = eigen_psfs.varying_energy
    enough = int(np.argmax(shares >= _ENOUGH)) + 1 if shares[-1] >= _ENOUGH else len(shares)
    predicts = errors.n_worthwhile() if len(errors.energy) else MOST_EIGEN_PSFS
    return min(predicts, enough, MOST_EIGEN_PSFS, most)


def summarise(
    samples: BeadSamples, errors: Sequence[PredictionErrors], settings: CalibrationSettings
) -> CalibrationResult:
    """Fit eigen-PSFs, maps and coefficients, and gather all that is known.

    Parameters
    ----------
    samples
        Beads of all acquisitions.
    errors
        Cross-validated errors of each acquisition.
    settings
        Settings of the calibration.
    """
    errors = [
        with_pedestal(part, pedestal.energy)
        for part, pedestal in zip(errors, samples.pedestals, strict=True)
    ]
    tested = pooled(errors)
    eigen_psfs = find_eigen_psfs(samples.weighted)
    number = settings.n_eigen_psfs or choose_number(tested, eigen_psfs, samples.most_eigen_psfs)
    extraction = extract(samples.weighted, eigen_psfs.first(number))
    family = calibrated_family(
        extraction,
        optics=settings.optics,
        cutoff=_measured_cutoff(extraction, samples),
        pixel_size_um=settings.pixel_um,
        inflation=settings.inflation,
    )
    shown = max(number, MOST_EIGEN_PSFS)
    return CalibrationResult(
        beads=_all_beads(samples, errors, number),
        family=family,
        coefficients=extraction.coefficients.astype(np.float32),
        field_shape=samples.field_shape,
        pixel_size_um=settings.pixel_um,
        window=samples.window,
        energy=eigen_psfs.energy[:shown],
        varying_energy=eigen_psfs.varying_energy[:shown],
        cross_validation_db=tested.total_db if len(tested.energy) else np.zeros(0),
        names=tuple(samples.names),
        planes=tuple(samples.planes),
        optics=settings.optics,
        notes=notes_of(samples, extraction),
        settings=settings.model_dump(mode="json"),
    )


def _measured_cutoff(extraction: Extraction, samples: BeadSamples) -> float:
    weights = np.einsum("tp,pkyx->k", extraction.coefficients, extraction.maps)
    psf = extraction.eigen_psfs.decode(weights)
    noise = np.concatenate([part.noise for part in samples.measured])
    return measured_cutoff(psf / psf.sum(), float(np.sqrt(np.mean(noise**2) / len(noise))))


def _all_beads(samples: BeadSamples, errors: Sequence[PredictionErrors], number: int) -> DataFrame:
    """Join the tables of all acquisitions, with each bead's cross-validated error."""
    from pandas import concat

    tables = []
    for index, (table, part) in enumerate(zip(samples.tables, errors, strict=True)):
        residual = np.full(len(table), np.nan)
        column = min(number, MOST_EIGEN_PSFS) - 1
        residual[(table["status"] == BeadStatus.USED).to_numpy()] = part.each_db[:, column]
        whole = table.assign(residual_db=residual)
        whole.insert(0, "acquisition", index)
        tables.append(whole)
    return concat(tables, ignore_index=True)
