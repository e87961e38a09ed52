"""Families {A(γ), γ ∈ C} of blur operators: all blurs that one microscope can make."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, fft, nn
from torch.nn import functional

from napari_deepblur.operators.admissible_sets import AdmissibleSet, HalfBox
from napari_deepblur.operators.convolution import Convolution
from napari_deepblur.operators.fourier_blur import FourierBlur
from napari_deepblur.operators.phase_diversity import resolve_twins
from napari_deepblur.optics.pupil import Pupil
from napari_deepblur.optics.settings import CANONICAL_CUTOFF, Optics
from napari_deepblur.optics.zernike import mode_name, noll_to_radial_azimuthal

__all__ = ["OperatorFamily", "ZernikeFamily"]


class OperatorFamily(nn.Module, ABC):
    """Blur operators that differ by their coefficients γ only."""

    admissible_set: AdmissibleSet
    #: Name of the kind of family in model descriptions.
    kind: str
    #: Whether the PSF changes over the field.
    varies: bool
    #: Unit of the coefficients, for people.
    unit: str
    #: Tiles of an image that the same pixel lies in along each axis: more are looked at where the
    #: blur varies.
    tile_density = 1
    #: Whether a focus series tells more of a coefficient than its planes one by one.
    admits_focus_series = False
    #: Whether the coefficients are lengths that are counted in wavelengths.
    in_wavelengths = False

    @property
    def n_convolutions(self) -> int:
        """Number of convolutions in one application of a blur."""
        return 1

    @property
    def n_coefficients(self) -> int:
        """Number of coefficients, P."""
        return self.admissible_set.n_coefficients

    @property
    def noll_indices(self) -> tuple[int, ...]:
        """Zernike modes of the pupil that makes the PSFs; none where there is no pupil."""
        return ()

    @property
    @abstractmethod
    def coefficient_names(self) -> tuple[str, ...]:
        """Name of each coefficient, for people."""

    @property
    @abstractmethod
    def cutoff(self) -> float:
        """Pupil radius in cycles per pixel."""

    @abstractmethod
    def psf(self, coefficients: Tensor) -> Tensor:
        """Compute the PSF at the centre of the field, shape (..., P) to (..., h, w), sum 1."""

    @abstractmethod
    def psf_at(self, coefficients: Tensor, field_yx: Tensor) -> Tensor:
        """Compute PSFs at field coordinates (M, 2): (..., P) to (..., M, h, w), sum 1."""

    @abstractmethod
    def operator(self, coefficients: Tensor, shape: tuple[int, int]) -> FourierBlur:
        """Make A(γ) for observed images of a shape (Y, X)."""

    def tile_operator(
        self,
        coefficients: Tensor,
        shape: tuple[int, int],
        region: Tensor,  # noqa: ARG002
    ) -> FourierBlur:
        """Make A(γ) for a tile of the field, whose steps are those of the whole field.

        Parameters
        ----------
        coefficients
            Coefficients γ, shape (..., P).
        shape
            Shape (Y, X) of the tile.
        region
            Field coordinates (y, x) of the tile's first and last corner, shape (2, 2). Without
            meaning where the blur is the same everywhere.
        """
        return self.operator(coefficients, shape)

    @abstractmethod
    def at_cutoff(self, cutoff: float) -> OperatorFamily:
        """Make the family of the same microscope with other pixels: γ keeps its meaning."""

    def completed(self, coefficients: Tensor, std: Tensor) -> tuple[Tensor, Tensor]:
        """Add the prior of coefficients that no network reads; here there are none."""
        return coefficients, std

    def transfer(self, coefficients: Tensor, grid: int) -> tuple[Tensor, Tensor]:
        """OTF on a grid of frequencies, and its slopes by the coefficients.

        The middle of the PSF is the origin, so that the OTF of a perfect objective is real.

        Parameters
        ----------
        coefficients
            γ, shape (P,).
        grid
            Number of frequencies along an axis, G.

        Returns
        -------
            Complex, shapes (G, G / 2 + 1) and (P, G, G / 2 + 1).

        Raises
        ------
        NotImplementedError
            If the blur varies over the field.
        """
        raise NotImplementedError(f"a {self.kind} family has no single transfer function")

    def transfer_power(self, coefficients: Tensor, grid: int) -> tuple[Tensor, Tensor]:
        """|OTF|² on a grid of frequencies, and its slopes: see `transfer`.

        Returns
        -------
            Shapes (G, G / 2 + 1) and (P, G, G / 2 + 1).
        """
        otf, slopes = self.transfer(coefficients, grid)
        return otf.abs().square(), 2 * (otf.conj() * slopes).real

    def resolve_twins(
        self,
        coefficients: Tensor,
        std: Tensor,  # noqa: ARG002
        *,
        usable: Tensor,  # noqa: ARG002
        z_step_um: float,  # noqa: ARG002
        optics: Optics,  # noqa: ARG002
    ) -> tuple[Tensor, bool]:
        """Choose between γ and its twin in every plane of a focus series.

        Here no γ has a twin: see `ZernikeFamily.resolve_twins`.
        """
        return coefficients, False

    def pixel_ratio(self, optics: Optics) -> float:
        """Ratio of the pixels of an image to those of the family."""
        return optics.cutoff / self.cutoff

    @property
    def seen_at(self) -> float:
        """Cutoff to which images are resampled before a network sees them."""
        return self.cutoff

    def seen_ratio(self, optics: Optics) -> float:
        """Ratio of the pixels of an image to those at which a network sees it."""
        return self.pixel_ratio(optics) * self.cutoff / self.seen_at

    def at_optics(self, optics: Optics) -> OperatorFamily:
        """Make the family of the same microscope at the pixels of an image."""
        return self.at_cutoff(self.cutoff * self.pixel_ratio(optics))


class ZernikeFamily(OperatorFamily):
    """Circular pupil with Zernike aberrations, the same over the whole field.

    Parameters
    ----------
    noll_indices
        Zernike modes; by default defocus to trefoil (Noll 4 to 10).
    limit_waves
        Largest |γ| of each mode, waves RMS.
    cutoff
        Pupil radius in cycles per pixel.
    """

    admissible_set: HalfBox
    kind = "zernike"
    varies = False
    unit = "waves RMS"
    admits_focus_series = True
    in_wavelengths = True

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
        self.admissible_set = HalfBox([limit_waves] * len(degrees), even)

    @property
    def noll_indices(self) -> tuple[int, ...]:
        """Zernike modes of the pupil."""
        return self.pupil.noll_indices

    @property
    def coefficient_names(self) -> tuple[str, ...]:
        """Names of the modes, such as ``Z4 defocus``."""
        return tuple(f"Z{j} {mode_name(j)}" for j in self.noll_indices)

    @property
    def cutoff(self) -> float:
        """Pupil radius in cycles per pixel."""
        return self.pupil.cutoff

    @property
    def prior_std(self) -> float:
        """Standard deviation of a coefficient of which only the family is known, waves."""
        return self.limit_waves / math.sqrt(3)

    def psf(self, coefficients: Tensor) -> Tensor:
        """Compute the PSF, shape (..., P) to (..., h, w), sum 1."""
        return self.pupil.psf(coefficients)

    def wavefront(self, coefficients: Tensor) -> Tensor:
        """Coefficients of the pupil's modes in waves RMS, (..., P) to (..., number of modes)."""
        return coefficients

    def transfer(self, coefficients: Tensor, grid: int) -> tuple[Tensor, Tensor]:
        """OTF on a grid of frequencies, and its slopes: see `OperatorFamily.transfer`."""
        psf, slopes = self.pupil.psf_and_slopes(coefficients)
        window = psf.shape[-1]
        missing = grid - window
        parts = functional.pad(torch.cat([psf[None], slopes]), (0, missing, 0, missing))
        otf = fft.rfft2(parts.roll((-(window // 2), -(window // 2)), (-2, -1)))
        return otf[0], otf[1:]

    def psf_at(self, coefficients: Tensor, field_yx: Tensor) -> Tensor:
        """Compute PSFs at positions (M, 2), all the same: (..., P) to (..., M, h, w), sum 1."""
        psf = self.psf(coefficients)[..., None, :, :]
        return psf.expand(*psf.shape[:-3], len(field_yx), *psf.shape[-2:])

    def operator(self, coefficients: Tensor, shape: tuple[int, int]) -> Convolution:
        """Make A(γ) for observed images of a shape (Y, X)."""
        return Convolution(self.psf(coefficients), shape)

    def resolve_twins(
        self,
        coefficients: Tensor,
        std: Tensor,
        *,
        usable: Tensor,
        z_step_um: float,
        optics: Optics,
    ) -> tuple[Tensor, bool]:
        """Choose between γ and its twin in every plane: see `phase_diversity.resolve_twins`."""
        return resolve_twins(
            coefficients, std, usable=usable, z_step_um=z_step_um, family=self, optics=optics
        )

    def at_cutoff(self, cutoff: float) -> ZernikeFamily:
        """Make the family of the same modes and limits with other pixels."""
        device = self.admissible_set.low.device
        return ZernikeFamily(self.noll_indices, limit_waves=self.limit_waves, cutoff=cutoff).to(
            device
        )
