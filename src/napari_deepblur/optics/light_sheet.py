"""A simulated light-sheet microscope: PSFs over its field.

The detection PSF of an aberrated pupil is mixed over defocus, weighted by the sheet's thickness
profile. The sheet is thinnest at its waist and spreads away from it, by diffraction and by
scattering along its path; it is tilted against the focal plane, so that defocus changes over
the field; spherical aberration and the halo of scattered light grow with depth.

Source: Debarnot, Mangeat & Weiss, "Learning low-dimensional models of microscopes", IEEE
Trans. Comput. Imaging 7 (2021); Gaussian beams: Siegman, *Lasers*, ch. 17.
"""

from __future__ import annotations

import math

import torch
from pydantic import BaseModel, ConfigDict
from torch import Generator, Tensor, fft

from napari_deepblur.optics.grid_pupil import GridPupil
from napari_deepblur.optics.pupil import Pupil
from napari_deepblur.optics.settings import Optics

__all__ = ["LightSheetMicroscope"]

Range = tuple[float, float]

_MODES = (5, 6, 7, 8, 11)
#: Depths at which the sheet is cut, and the largest distance of two, µm.
_FEWEST_DEPTHS, _DEPTH_STEP_UM = 17, 0.6
#: Depths reach this many standard deviations of the sheet's profile.
_REACH = 2.3
_AT_A_TIME = 64
#: Larger windows are computed on a grid of frequencies.
_LARGEST_QUADRATURE = 51


class LightSheetMicroscope(BaseModel):
    """A light-sheet microscope of which only ranges of the adjustments are known.

    Attributes
    ----------
    optics
        Optics of detection; by default a 40× / 0.8 water-dipping objective on a camera of 6.5 µm
        pixels.
    field_um
        Side of the field, µm.
    window
        Side of the PSFs, pixels.
    illumination_wavelength_um
        Wavelength of the light sheet in vacuum, µm.
    waist_um
        Half thickness of the sheet at its waist, where intensity falls to 1 / e².
    waist_position
        Place of the waist along the path of the sheet (x), in half fields from the centre.
    tilt_degrees
        Angle between sheet and focal plane, along x and along y, degrees.
    offset_um
        Distance of the sheet from the focal plane at the centre of the field, µm.
    depth_um
        Depth of the focal plane in the sample, µm.
    slope
        Relative change of the depth from the centre of the field to its border, along y.
    spherical_per_100_um
        Spherical aberration (Noll 11) that 100 µm of sample add, waves RMS.
    aberration_waves
        Astigmatism and coma (Noll 5 to 8) of the microscope itself, waves RMS.
    aberration_per_100_um
        Astigmatism and coma that 100 µm of sample add, waves RMS.
    spread_mrad
        Half angle by which scattering spreads the sheet along its path.
    halo
        Share of the light that 100 µm of sample scatter into a halo.
    halo_um
        Standard deviation of the halo, µm.
    pixel_area
        Whether the camera's pixels collect light over their area; otherwise PSFs are those of
        points.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    optics: Optics = Optics(
        numerical_aperture=0.8, wavelength_um=0.52, pixel_size_um=0.1625, refractive_index=1.333
    )
    field_um: float = 100.0
    window: int = 41
    illumination_wavelength_um: float = 0.488
    waist_um: Range = (1.0, 3.0)
    waist_position: Range = (-0.7, 0.7)
    tilt_degrees: Range = (-2.5, 2.5)
    offset_um: Range = (-1.8, 1.8)
    depth_um: Range = (0.0, 100.0)
    slope: Range = (-0.5, 0.5)
    spherical_per_100_um: float = 0.1
    aberration_waves: Range = (-0.07, 0.07)
    aberration_per_100_um: Range = (0.0, 0.0)
    spread_mrad: Range = (0.0, 50.0)
    halo: float = 0.3
    halo_um: float = 1.0
    pixel_area: bool = False

    def draw(self, n: int, *, seed: int) -> dict[str, Tensor]:
        """Draw the adjustments of n microscopes, uniform in their ranges: (n,) by name."""
        generator = Generator().manual_seed(seed)
        ranges: dict[str, Range] = {
            "waist_um": self.waist_um,
            "waist_position": self.waist_position,
            "tilt_x_degrees": self.tilt_degrees,
            "tilt_y_degrees": self.tilt_degrees,
            "offset_um": self.offset_um,
            "depth_um": self.depth_um,
            "slope": self.slope,
            "spread_mrad": self.spread_mrad,
        }
        ranges |= {f"Z{mode}": self.aberration_waves for mode in _MODES[:-1]}
        ranges |= {f"Z{mode}_per_100_um": self.aberration_per_100_um for mode in _MODES[:-1]}
        return {
            name: low + (high - low) * torch.rand(n, generator=generator)
            for name, (low, high) in ranges.items()
        }

    @torch.no_grad()
    def psfs(self, state: dict[str, Tensor], field_yx: Tensor) -> Tensor:
        """Compute the PSFs of one adjustment at field coordinates (M, 2): (M, h, w), sum 1."""
        y, x = field_yx.unbind(-1)
        half = self.field_um / 2
        depth = state["depth_um"] * (1 + state["slope"] * y)
        thickness = self._thickness(state, x)
        centre = state["offset_um"] + half * (
            x * torch.tan(torch.deg2rad(state["tilt_x_degrees"]))
            + y * torch.tan(torch.deg2rad(state["tilt_y_degrees"]))
        )
        own = torch.stack([state[f"Z{mode}"] for mode in _MODES[:-1]])
        added = torch.stack([state[f"Z{mode}_per_100_um"] for mode in _MODES[:-1]])
        spherical = self.spherical_per_100_um * depth / 100
        gamma = torch.cat([own + added * depth[:, None] / 100, spherical[:, None]], 1)
        # exp(-2 z² / w²) is a normal density of standard deviation w / 2.
        n_depths = 1 + math.ceil(_REACH * float(thickness.max()) / _DEPTH_STEP_UM)
        steps = torch.linspace(-_REACH, _REACH, max(_FEWEST_DEPTHS, n_depths))
        profile = torch.exp(-steps.square() / 2)
        z = centre[:, None] + thickness[:, None] / 2 * steps
        psf = self._mixed(gamma, z, profile / profile.sum())
        scattered = (self.halo * depth / 100 * (1 + x) / 2).clamp(0, 0.9)[:, None, None]
        psf = (1 - scattered) * psf + scattered * self._halo()
        return _over_pixels(psf) if self.pixel_area else psf

    def _thickness(self, state: dict[str, Tensor], x: Tensor) -> Tensor:
        """Half thickness (1 / e²) of the sheet along its path, µm."""
        half = self.field_um / 2
        waist = state["waist_um"]
        length = self.illumination_wavelength_um / self.optics.refractive_index
        rayleigh = math.pi * waist.square() / length
        away = (x - state["waist_position"]) * half
        diffracted = waist * (1 + (away / rayleigh).square()).sqrt()
        path = (1 + x) * half
        return torch.hypot(diffracted, state["spread_mrad"] / 1000 * path)

    def _mixed(self, gamma: Tensor, z: Tensor, weights: Tensor) -> Tensor:
        pupil = (
            Pupil(_MODES, cutoff=self.optics.cutoff, window=self.window, optics=self.optics)
            if self.window <= _LARGEST_QUADRATURE
            else GridPupil(_MODES, window=self.window, optics=self.optics)
        )
        flat = gamma[:, None].expand(-1, len(weights), -1).flatten(0, 1)
        psfs = torch.cat(
            [
                pupil.psf(part, defocus_um=depth)
                for part, depth in zip(
                    flat.split(_AT_A_TIME), z.flatten().split(_AT_A_TIME), strict=True
                )
            ]
        )
        mixed: Tensor = torch.einsum("mdyx,d->myx", psfs.unflatten(0, z.shape), weights)
        return mixed

    def _halo(self) -> Tensor:
        axis = torch.arange(self.window) - self.window // 2
        width = self.halo_um / self.optics.pixel_size_um
        profile = torch.exp(-(axis / width).square() / 2)
        halo = profile[:, None] * profile
        return halo / halo.sum()


def _over_pixels(psfs: Tensor) -> Tensor:
    """Integrate PSFs (M, h, w) over the area of each pixel: same sums."""
    height, width = psfs.shape[-2:]
    transfer = torch.sinc(fft.fftfreq(height))[:, None] * torch.sinc(fft.rfftfreq(width))
    integrated: Tensor = fft.irfft2(fft.rfft2(psfs) * transfer, s=(height, width))
    return integrated
