"""Figures of a calibration, as the dock shows them."""

from __future__ import annotations

from collections.abc import Sequence

from napari_deepblur.widgets.calibrate.tasks import Calibrated
from napari_deepblur.widgets.calibrate.view import CalibrationSummary, Drift

__all__ = ["summary_of"]


def summary_of(calibrated: Calibrated, names: Sequence[str], *, n_beads: int) -> CalibrationSummary:
    """Gather the figures that the dock shows of a calibration.

    Parameters
    ----------
    calibrated
        The calibration.
    names
        Names of the layers that it was made from.
    n_beads
        Number of beads that are shown on them.
    """
    result = calibrated.result
    n_eigen_psfs = len(result.eigen_psfs)
    widths = [figures.fwhm_um for figures in calibrated.figures]
    return CalibrationSummary(
        title=", ".join(names),
        n_used=result.n_used,
        n_beads=n_beads,
        n_eigen_psfs=n_eigen_psfs,
        energy=float(result.energy[n_eigen_psfs - 1]),
        varying_energy=float(result.varying_energy[n_eigen_psfs - 1]),
        error_db=result.error_db,
        fwhm_um=(
            min(float(width.min()) for width in widths),
            max(float(width.max()) for width in widths),
        ),
        window=result.window,
        drift=_drift(calibrated),
        notes=result.notes,
    )


def _drift(calibrated: Calibrated) -> Drift | None:
    """Leave out the first coefficient, which is 1 throughout and no drift."""
    result = calibrated.result
    if result.n_acquisitions == 1:
        return None
    names = result.family.coefficient_names[1:]
    return Drift(result.names, tuple(names), result.coefficients[:, 1:])
