"""From the beads of all acquisitions to the calibration's result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from napari_deepblur.calibration.bead_survey import BeadSurvey
from napari_deepblur.calibration.calibrated_family import calibrated_family, measured_cutoff
from napari_deepblur.calibration.fit.extractor import Extraction, extract
from napari_deepblur.calibration.fit.left_out import MOST_EIGEN_PSFS, LeftOut, pooled
from napari_deepblur.calibration.fit.modes import EigenPsfs, find_eigen_psfs
from napari_deepblur.calibration.notes import notes_of
from napari_deepblur.calibration.result import CalibrationResult
from napari_deepblur.calibration.settings import CalibrationSettings

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["choose_number", "conclude"]

#: Share of what varies that is enough.
_ENOUGH = 0.99


def choose_number(left_out: LeftOut, eigen_psfs: EigenPsfs, most: int) -> int:
    """K: as few as predict as well as any number, and no more than hold 99 % of what varies.

    Parameters
    ----------
    left_out
        Of all PSFs that could be left out; perhaps none.
    eigen_psfs
        More than will be needed.
    most
        K is not more.
    """
    shares = eigen_psfs.varying_energy
    enough = int(np.argmax(shares >= _ENOUGH)) + 1 if shares[-1] >= _ENOUGH else len(shares)
    predicts = left_out.n_worthwhile() if len(left_out.energy) else MOST_EIGEN_PSFS
    return min(predicts, enough, MOST_EIGEN_PSFS, most)


def conclude(
    survey: BeadSurvey, left_out: Sequence[LeftOut], settings: CalibrationSettings
) -> CalibrationResult:
    """Find eigen-PSFs, maps and coefficients, and put all that is known together."""
    tested = pooled(left_out)
    eigen_psfs = find_eigen_psfs(survey.judged)
    number = settings.n_eigen_psfs or choose_number(tested, eigen_psfs, survey.most_eigen_psfs)
    extraction = extract(survey.judged, n_eigen_psfs=number)
    family = calibrated_family(
        extraction,
        optics=settings.optics,
        cutoff=_measured_cutoff(extraction, survey),
        pixel_size_um=settings.pixel_um,
        inflation=settings.inflation,
    )
    shown = max(number, MOST_EIGEN_PSFS)
    return CalibrationResult(
        beads=_all_beads(survey, left_out, number, settings.pixel_um),
        family=family,
        coefficients=extraction.coefficients.astype(np.float32),
        field_shape=survey.field_shape,
        pixel_size_um=settings.pixel_um,
        window=survey.window,
        energy=eigen_psfs.energy[:shown],
        varying_energy=eigen_psfs.varying_energy[:shown],
        left_out_error_db=tested.total_db if len(tested.energy) else np.zeros(0),
        names=tuple(survey.names),
        planes=tuple(survey.planes),
        optics=settings.optics,
        notes=notes_of(survey, extraction),
        settings=settings.model_dump(mode="json"),
    )


def _measured_cutoff(extraction: Extraction, survey: BeadSurvey) -> float:
    weights = np.einsum("tp,pkyx->k", extraction.coefficients, extraction.maps)
    psf = extraction.eigen_psfs.decode(weights)
    noise = np.concatenate([part.noise for part in survey.measured])
    return measured_cutoff(psf / psf.sum(), float(np.sqrt(np.mean(noise**2) / len(noise))))


def _all_beads(
    survey: BeadSurvey, left_out: Sequence[LeftOut], number: int, pixel_um: float
) -> DataFrame:
    """Tables of all acquisitions in one, with each bead's error as the others predict it."""
    from pandas import concat

    tables = []
    for index, (table, part) in enumerate(zip(survey.tables, left_out, strict=True)):
        residual = np.full(len(table), np.nan)
        column = min(number, MOST_EIGEN_PSFS) - 1
        residual[(table["status"] == "used").to_numpy()] = part.each_db[:, column]
        whole = table.assign(residual_db=residual)
        whole.insert(0, "acquisition", index)
        whole.insert(list(whole.columns).index("fwhm") + 1, "fwhm_um", table["fwhm"] * pixel_um)
        tables.append(whole)
    return concat(tables, ignore_index=True)
