"""Result of a calibration from beads: eigen-PSFs and the family of blurs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.calibration.beads.status import BeadStatus
from napari_deepblur.calibration.fit.spline import FEWEST_PLACES
from napari_deepblur.calibration.trust import Trust
from napari_deepblur.optics.field import to_field
from napari_deepblur.optics.settings import Optics

if TYPE_CHECKING:
    from pandas import DataFrame

    from napari_deepblur.operators import ProductConvolutionFamily

__all__ = ["CalibrationResult"]


@dataclass(frozen=True, eq=False)
class CalibrationResult:
    """A calibrated microscope.

    Attributes
    ----------
    beads
        One row for each bead found, in all acquisitions: `acquisition` (number), `y`, `x`
        (pixels), `peak`, `background` (counts), `snr`, `fwhm` (pixels), `fwhm_um`,
        `ellipticity`, `status` (a `BeadStatus`) and `residual_db`: error of the prediction of a
        used bead from the others (‖a ĥ - h‖² / ‖h‖² over its core in dB, the brightness a
        free, noise taken off and the pedestal of a wrong background added; not below what its
        noise lets one see).
    family
        Blurs of this microscope, for `deepblur train` and for operators.
    coefficients
        γ of each acquisition, float32, shape (T, P). The first is 1: the mean operator. Without
        drift beyond the noise it is the only one.
    field_shape
        (Y, X) of the images.
    pixel_size_um
        Side of a pixel, µm.
    window
        Side of the PSFs, pixels.
    energy
        Share of the PSFs' energy in the first 1, 2, … eigen-PSFs.
    varying_energy
        Share of the energy of their deviations from the mean PSF, likewise.
    cross_validation_db
        Error of PSFs predicted from other beads only, by 1, 2, … 8 eigen-PSFs, dB (negative is
        good); empty where there were too few beads.
    names
        Names of the acquisitions.
    planes
        What was taken of each stack, such as ``plane 12, the sharpest``; empty for a plane.
    optics
        Optics of the microscope, where known.
    notes
        Notes to read before trusting the result.
    settings
        Settings that were asked for.
    save
        Write the calibration's folder: see `save_calibration`.
    """

    beads: DataFrame
    family: ProductConvolutionFamily
    coefficients: NDArray[np.float32]
    field_shape: tuple[int, int]
    pixel_size_um: float
    window: int
    energy: NDArray[np.float64]
    varying_energy: NDArray[np.float64]
    cross_validation_db: NDArray[np.float64]
    names: tuple[str, ...]
    planes: tuple[str, ...]
    optics: Optics | None = None
    notes: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    #: Defined where the package meets its users, since files and reports read results.
    save: ClassVar[Callable[..., None]]

    @property
    def eigen_psfs(self) -> NDArray[np.float32]:
        """Orthonormal eigen-PSFs, the strongest first, shape (K, h, w)."""
        return np.asarray(self.family.eigen_psfs.cpu().numpy(), np.float32)

    @property
    def n_acquisitions(self) -> int:
        """Number of acquisitions, T."""
        return len(self.coefficients)

    @property
    def n_used(self) -> int:
        """Number of beads that the calibration rests on."""
        return int((self.beads["status"] == BeadStatus.USED).sum())

    @property
    def n_rejected(self) -> dict[str, int]:
        """Number of beads that were not used, by reason, the commonest first."""
        reasons = self.beads["status"][self.beads["status"] != BeadStatus.USED].value_counts()
        return {str(reason): int(count) for reason, count in reasons.items()}

    @property
    def resolves_field(self) -> bool:
        """True if there are beads enough to see how the PSF varies over the field."""
        used = self.beads["acquisition"][self.beads["status"] == BeadStatus.USED]
        return bool(used.value_counts().max() >= FEWEST_PLACES)

    @property
    def error_db(self) -> float | None:
        """Error of PSFs predicted from other beads only, dB; None where it is unknown."""
        errors = self.cross_validation_db
        return float(errors[min(len(self.eigen_psfs), len(errors)) - 1]) if len(errors) else None

    @property
    def trust(self) -> Trust:
        """Verdict on the calibration, by its error."""
        return Trust.of(self.error_db)

    def psf(
        self, position_yx: tuple[float, float] | None = None, acquisition: int = 0
    ) -> NDArray[np.float32]:
        """PSF at a pixel of the field, by default its centre: shape (h, w), sum 1.

        Raises
        ------
        IndexError
            If there is no such acquisition.
        """
        if position_yx is None:
            place = np.zeros((1, 2))
        else:
            place = to_field([position_yx], self.field_shape)
        return np.asarray(self.psf_field(place, acquisition)[0])

    def psf_field(
        self, field_yx: NDArray[np.floating], acquisition: int = 0
    ) -> NDArray[np.float32]:
        """PSFs at places of the field, shape (M, h, w), each of sum 1.

        Parameters
        ----------
        field_yx
            Normalised field coordinates, shape (M, 2): ±1 are the field's borders.
        acquisition
            Number of the acquisition, from 0.

        Raises
        ------
        IndexError
            If there is no such acquisition.
        """
        import torch

        if not 0 <= acquisition < self.n_acquisitions:
            raise IndexError(
                f"acquisition {acquisition} is not one of 0 … {self.n_acquisitions - 1}"
            )
        gamma = torch.from_numpy(self.coefficients[acquisition])
        places = torch.from_numpy(np.asarray(field_yx, np.float32))
        return np.asarray(self.family.psf_at(gamma, places).numpy(), np.float32)
