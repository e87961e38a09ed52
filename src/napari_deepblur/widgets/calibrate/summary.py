"""Pictures and figures of a calibration, as the dock shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_deepblur.calibration.beads.status import BeadStatus
from napari_deepblur.widgets.calibrate.tasks import Calibrated
from napari_deepblur.widgets.calibrate.view import (
    CalibrationSummary,
    Drift,
    EigenPsfPictures,
    OverField,
)
from napari_deepblur.widgets.parts.psf_picture import Scaled

if TYPE_CHECKING:
    from napari_deepblur.calibration.result import CalibrationResult
    from napari_deepblur.widgets.calibrate.bead_points import BeadCounts

__all__ = ["heading_of_beads", "heading_of_psf", "summary_of"]


def summary_of(calibrated: Calibrated, title: str, *, n_beads: int) -> CalibrationSummary:
    """Gather what the dock shows of a calibration.

    Parameters
    ----------
    calibrated
        The calibration.
    title
        Names of the layers that it was made from, or of its folder.
    n_beads
        Number of beads that were looked at.
    """
    result = calibrated.result
    n_eigen_psfs = len(result.eigen_psfs)
    widths = [figures.fwhm_um for figures in calibrated.figures]
    sharpest, widest = (Scaled(psf, result.pixel_size_um) for psf in calibrated.extremes)
    return CalibrationSummary(
        title=title,
        trust=result.trust,
        n_used=result.n_used,
        n_beads=n_beads,
        error_db=result.error_db,
        fwhm_um=(
            min(float(width.min()) for width in widths),
            max(float(width.max()) for width in widths),
        ),
        sharpest=sharpest,
        widest=widest,
        over_field=_over_field(calibrated) if result.resolves_field else None,
        parts=EigenPsfPictures(
            result.eigen_psfs,
            calibrated.maps[0],
            result.cross_validation_db,
            float(result.varying_energy[n_eigen_psfs - 1]),
        ),
        drift=_drift(result),
        notes=result.notes,
    )


def _over_field(calibrated: Calibrated) -> OverField:
    result = calibrated.result
    beads = result.beads[result.beads["acquisition"] == 0]
    places, is_used = beads[["y", "x"]].to_numpy(float), beads["status"] == BeadStatus.USED
    return OverField(
        calibrated.figures[0].fwhm_um,
        result.field_shape,
        places[is_used.to_numpy()],
        places[~is_used.to_numpy()],
    )


def _drift(result: CalibrationResult) -> Drift | None:
    """Leave out the first coefficient, which is 1 throughout and no drift."""
    if result.n_acquisitions == 1:
        return None
    names = result.family.coefficient_names[1:]
    return Drift(result.names, tuple(names), result.coefficients[:, 1:])


def heading_of_beads(counts: BeadCounts | None) -> str:
    """Say in short how many beads can be used."""
    if counts is None:
        return "not looked for yet"
    n_used = counts.get(BeadStatus.USED, 0) + counts.get(BeadStatus.ADDED, 0)
    return f"{n_used} of {sum(counts.values())} usable"


def heading_of_psf(summary: CalibrationSummary | None) -> str:
    """Say in short how good the calibration is."""
    return "not calibrated yet" if summary is None else summary.trust.value.split(":")[0]
