"""Families {A(γ), γ ∈ C} of blur operators: all that one microscope can do to an image."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor, nn

from napari_deepblur.operators.admissible_sets import Box, HalfBox
from napari_deepblur.operators.convolution import Convolution
from napari_deepblur.operators.linear_operator import LinearOperator
from napari_deepblur.optics.pupil import Pupil
from napari_deepblur.optics.settings import CANONICAL_CUTOFF
from napari_deepblur.optics.zernike import mode_name, noll_to_radial_azimuthal

__all__ = ["OperatorFamily", "ZernikeFamily"]


class OperatorFamily(nn.Module, ABC):
    """Blur operators that differ by their coefficients γ only."""

    admissible_set: Box

    @property
    def n_coefficients(self) -> int:
        """P, the number of coefficients."""
        return self.admissible_set.n_coefficients

    @property
    @abstractmethod
    def coefficient_names(self) -> tuple[str, ...]:
        """What each coefficient is, for people."""

    @abstractmethod
    def psf(self, coefficients: Tensor) -> Tensor:
        """PSF at the field's centre, shape (..., P) to (..., h, w), sum 1."""

    @abstractmethod
    def operator(self, coefficients: Tensor, shape: tuple[int, int]) -> LinearOperator:
        """A(γ) for observed images of a shape (Y, X)."""

    @abstractmethod
    def at_cutoff(self, cutoff: float) -> OperatorFamily:
        """The same microscope with other pixels: γ keeps its meaning."""


class ZernikeFamily(OperatorFamily):
    """Circular pupil with Zernike aberrations, the same over the whole field.

    Parameters
    ----------
    noll_indices
        Modes; by default defocus to trefoil (Noll 4 to 10).
    limit_waves
        Largest |γ| of each mode, waves RMS.
    cutoff
        Pupil radius in cycles per pixel.
    """

    def __init__(
        self,
        noll_indices: Sequence[int] = tuple(range(4, 11)),
        *,
        limit_waves: float = 0.15,
        cutoff: float = CANONICAL_CUTOFF,
    ) -> None:
        super().__init__()
        self.limit_waves = limit_waves
        self.pupil = Pupil(noll_indices, cutoff=cutoff)
        degrees = [noll_to_radial_azimuthal(j)[0] for j in noll_indices]
        even = [position for position, degree in enumerate(degrees) if degree % 2 == 0]
        self.admissible_set: HalfBox = HalfBox([limit_waves] * len(degrees), even)

    @property
    def coefficient_names(self) -> tuple[str, ...]:
        """Names of the modes, such as ``Z4 defocus``."""
        return tuple(f"Z{j} {mode_name(j)}" for j in self.pupil.noll_indices)

    @property
    def cutoff(self) -> float:
        """Pupil radius in cycles per pixel."""
        return self.pupil.cutoff

    def psf(self, coefficients: Tensor) -> Tensor:
        """PSF, shape (..., P) to (..., h, w), sum 1."""
        return self.pupil.psf(coefficients)

    def operator(self, coefficients: Tensor, shape: tuple[int, int]) -> Convolution:
        """A(γ) for observed images of a shape (Y, X)."""
        return Convolution(self.psf(coefficients), shape)

    def at_cutoff(self, cutoff: float) -> ZernikeFamily:
        """The same modes and limits with other pixels."""
        device = self.admissible_set.low.device
        return ZernikeFamily(
            self.pupil.noll_indices, limit_waves=self.limit_waves, cutoff=cutoff
        ).to(device)
