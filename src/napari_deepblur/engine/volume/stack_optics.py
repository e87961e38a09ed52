"""Optics of a stack: what is known of its microscope beforehand."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_deepblur.optics.settings import Optics
from napari_deepblur.optics.zernike import mode_name

if TYPE_CHECKING:
    from torch import Tensor

    from napari_deepblur.optics.pupil_3d import Pupil3d

__all__ = ["StackOptics"]

_NOLL_INDICES = (5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 22)

#: Standard deviation of the first modes and of those from Noll 12 on before the stack was seen,
#: waves RMS.
_LOW_ORDER_STD, _HIGH_ORDER_STD = 0.15, 0.03

#: Nothing of a real PSF's width is known but that it is a little more than the pupil's and the
#: pixel's: the sample takes up what is missing.
_BROADENING_PX = 0.2


@dataclass(frozen=True, slots=True)
class StackOptics:
    """Optics of a z-stack.

    Attributes
    ----------
    optics
        Of the objective, and the pixel size.
    z_step_um
        From one plane to the next, µm.
    light_sheet_fwhm_um
        Full width at half maximum of the light sheet, µm; None for widefield.
    broadening_px
        Standard deviation of a Gaussian that broadens the PSF laterally, pixels.
    noll_indices
        Modes of the pupil. Defocus (4) is where the sample lies in z, and is not among them.
    """

    optics: Optics
    z_step_um: float
    light_sheet_fwhm_um: float | None = None
    broadening_px: float = _BROADENING_PX
    noll_indices: tuple[int, ...] = _NOLL_INDICES

    def __post_init__(self) -> None:
        if not (math.isfinite(self.z_step_um) and self.z_step_um > 0):
            raise ValueError(
                f"z_step_um must be a positive number of micrometres, got {self.z_step_um:g}: "
                "give the distance from one plane to the next"
            )
        sheet = self.light_sheet_fwhm_um
        if sheet is not None and not (math.isfinite(sheet) and sheet > 0):
            raise ValueError(
                f"light_sheet_fwhm_um must be a positive number of micrometres, got {sheet:g}: "
                "give the sheet's thickness, or leave it out for a widefield microscope"
            )

    @property
    def coefficient_names(self) -> tuple[str, ...]:
        """Names of the modes, such as ``Z11 spherical``."""
        return tuple(f"Z{j} {mode_name(j)}" for j in self.noll_indices)

    @property
    def prior_std(self) -> tuple[float, ...]:
        """Standard deviation of each coefficient before the stack was seen, waves RMS."""
        return tuple(_LOW_ORDER_STD if j < 12 else _HIGH_ORDER_STD for j in self.noll_indices)

    @property
    def depth_of_field_um(self) -> float:
        """nλ / NA², µm."""
        optics = self.optics
        square = optics.numerical_aperture**2
        return optics.refractive_index * optics.wavelength_um / square

    @property
    def slope(self) -> float:
        """Growth of the radius of the cone of light for each µm of defocus, tan θ."""
        sine = self.optics.numerical_aperture / self.optics.refractive_index
        return sine / math.sqrt(1 - sine**2)

    def pupil(self, shape: tuple[int, ...]) -> Pupil3d:
        """Pupil on a periodic grid of voxels."""
        from napari_deepblur.optics.pupil_3d import Pupil3d

        depth, height, width = shape
        return Pupil3d(
            self.noll_indices,
            optics=self.optics,
            z_step_um=self.z_step_um,
            shape=(depth, height, width),
            light_sheet_fwhm_um=self.light_sheet_fwhm_um,
            broadening_px=self.broadening_px,
        )

    def domain_of(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of the domain whose light reaches into a stack, quick to transform."""
        from napari_deepblur.operators.fourier_blur import fast_shape

        return fast_shape(self.reach_of(shape))

    def reach_of(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of the smallest domain whose light reaches into a stack."""
        depth_um = _REACH * self.depth_of_field_um
        planes = math.ceil(min(depth_um / self.z_step_um, shape[0] / 2))
        pixel = self.optics.pixel_size_um
        beside = math.ceil(planes * self.z_step_um * self.slope / pixel / 2) + _LEAST_MARGIN_PX
        beside = min(beside, _LARGEST_MARGIN_PX)
        return (shape[0] + 2 * planes, *(side + 2 * beside for side in shape[1:]))

    def psf(self, coefficients: Tensor, shape: tuple[int, int, int]) -> Tensor:
        """PSF with its centre in the middle of a shape (Z, Y, X) of odd sides, sum 1."""
        import torch

        depth, height, width = shape
        # So large that light of the last plane does not come around.
        reach = depth * self.z_step_um * self.slope / self.optics.pixel_size_um
        side = min(int(max(height, width) / 2 + reach / 2) + _LEAST_MARGIN_PX, _LARGEST_PSF_HALF)
        side = max(2 * side, height, width)
        with torch.no_grad():
            whole = self.pupil((depth + depth % 2, side, side)).psf(coefficients)
        centred = whole.roll([n // 2 for n in shape], dims=(0, 1, 2))[:depth, :height, :width]
        return centred / centred.sum()


_REACH = 7
_LEAST_MARGIN_PX = 8
_LARGEST_MARGIN_PX = 40
_LARGEST_PSF_HALF = 256
