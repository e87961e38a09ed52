"""View interface of the dock "Calibrate from beads"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.events import Progress
from napari_deepblur.widgets.calibrate.bead_points import BeadCounts
from napari_deepblur.widgets.calibrate.readiness import CalibrationPlan
from napari_deepblur.widgets.parts.tone import Tone

if TYPE_CHECKING:
    from napari.layers import Image

__all__ = ["CalibrateView", "CalibrationSummary", "Drift"]


@dataclass(frozen=True, slots=True)
class Drift:
    """Coefficients of the operator over the acquisitions.

    Attributes
    ----------
    acquisitions
        Names of the acquisitions.
    names
        Names of the coefficients.
    coefficients
        Coefficients, shape (T, P), without those that are always 1.
    """

    acquisitions: tuple[str, ...]
    names: tuple[str, ...]
    coefficients: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class CalibrationSummary:
    """Figures of a calibration.

    Attributes
    ----------
    title
        Names of the layers that it was made from.
    n_used, n_beads
        Number of beads that it rests on, and of those that were looked at.
    n_eigen_psfs
        Number of eigen-PSFs, K.
    energy, varying_energy
        Shares of the PSFs' energy, and of that of their deviations from the mean, that K
        eigen-PSFs hold.
    error_db
        Error of PSFs predicted from other beads only; None where it is unknown.
    fwhm_um
        Least and largest full width at half maximum over the field, of all acquisitions.
    window
        Side of the PSFs, pixels.
    drift
        Change between the acquisitions, None for one acquisition.
    notes
        Notes to read before trusting the result.
    """

    title: str
    n_used: int
    n_beads: int
    n_eigen_psfs: int
    energy: float
    varying_energy: float
    error_db: float | None
    fwhm_um: tuple[float, float]
    window: int
    drift: Drift | None = None
    notes: tuple[str, ...] = ()


class CalibrateView(Protocol):
    """Dock, as the controller sees it."""

    def show_layers(self, layers: Sequence[Image], chosen: Sequence[Image]) -> None:
        """Offer layers to choose from."""

    def show_plan(self, plan: CalibrationPlan) -> None:
        """Show optical values, their sources and whether all is ready."""

    def show_busy(self, *, busy: bool) -> None:
        """Show whether a task runs."""

    def show_progress(self, progress: Progress) -> None:
        """Show how far the task is."""

    def show_message(self, tone: Tone, text: str) -> None:
        """Show one message in place of the former one."""

    def show_beads(self, counts: BeadCounts | None) -> None:
        """Show how many beads of each status there are; None where none were looked for."""

    def show_result(self, summary: CalibrationSummary | None) -> None:
        """Show a calibration's figures, or that there is none."""

    def show_report(self, report: Path | None) -> None:
        """Offer the saved report to be opened, or none."""
