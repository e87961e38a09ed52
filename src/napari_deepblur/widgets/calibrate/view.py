"""View interface of the dock "Calibrate from beads"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.calibration.trust import Trust
from napari_deepblur.engine.events import Progress
from napari_deepblur.widgets.calibrate.bead_points import BeadCounts
from napari_deepblur.widgets.calibrate.readiness import CalibrationPlan
from napari_deepblur.widgets.parts.psf_picture import Scaled
from napari_deepblur.widgets.parts.tone import Tone

if TYPE_CHECKING:
    from napari.layers import Image

__all__ = ["CalibrateView", "CalibrationSummary", "Drift", "EigenPsfPictures", "OverField"]


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
class OverField:
    """Width of the PSF over the field, and the beads that tell it.

    Attributes
    ----------
    fwhm_um
        Full width at half maximum at places that divide the field evenly, border to border,
        µm, shape (G, G).
    shape
        (Y, X) of the field, pixels.
    used, rejected
        y, x of the beads that were used and of those that were not, pixels, shape (n, 2).
    """

    fwhm_um: NDArray[np.float64]
    shape: tuple[int, int]
    used: NDArray[np.float64]
    rejected: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class EigenPsfPictures:
    """Eigen-PSFs, how much of each there is where, and how well they predict.

    Attributes
    ----------
    eigen_psfs
        The strongest first, shape (K, h, w).
    maps
        Weights over the field of the first acquisition, shape (K, h', w').
    errors_db
        Error of PSFs predicted from other beads only, by 1, 2, … eigen-PSFs, dB; empty where it
        is unknown.
    varying_energy
        Share of the energy of the PSFs' deviations from their mean that the eigen-PSFs hold.
    """

    eigen_psfs: NDArray[np.float32]
    maps: NDArray[np.float32]
    errors_db: NDArray[np.float64]
    varying_energy: float


@dataclass(frozen=True, slots=True)
class CalibrationSummary:
    """Pictures and figures of a calibration.

    Attributes
    ----------
    title
        Names of the layers that it was made from, or of its folder.
    trust
        Verdict on it.
    n_used, n_beads
        Number of beads that it rests on, and of those that were looked at.
    error_db
        Error of PSFs predicted from other beads only; None where it is unknown.
    fwhm_um
        Least and largest full width at half maximum over the field, of all acquisitions.
    sharpest, widest
        PSFs of the first acquisition's field.
    over_field
        Width over the first acquisition's field; None where too few beads tell how it varies.
    parts
        Eigen-PSFs.
    drift
        Change between the acquisitions, None for one acquisition.
    notes
        Notes to read before trusting the result.
    """

    title: str
    trust: Trust
    n_used: int
    n_beads: int
    error_db: float | None
    fwhm_um: tuple[float, float]
    sharpest: Scaled
    widest: Scaled
    over_field: OverField | None
    parts: EigenPsfPictures
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

    def show_message(self, tone: Tone, text: str, *, details: str = "") -> None:
        """Show one message in place of the former one; details are seen at a click."""

    def show_beads(self, counts: BeadCounts | None) -> None:
        """Show how many beads of each status there are; None where none were looked for."""

    def show_result(self, summary: CalibrationSummary | None) -> None:
        """Show a calibration's pictures, or that there is none."""

    def show_report(self, report: Path | None) -> None:
        """Offer the saved report to be opened, or none."""
