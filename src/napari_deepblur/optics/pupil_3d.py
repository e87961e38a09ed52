"""Three-dimensional point-spread function of an aberrated pupil.

h_γ(z) = | F⁻¹[ A(k) · 1(|k| ≤ NA / λ) · exp 2πi( Σ_j γ_j Z_j(kλ / NA) + z √((n / λ)² - |k|²) ) ] |²
with A = 1 / √cos θ, the amplitude of light that a sample emits through an aplanatic objective.

Sources: J. W. Goodman, *Introduction to Fourier Optics*, ch. 3.10 (angular spectrum);
B. M. Hanser et al., "Phase-retrieved pupil functions in wide-field fluorescence microscopy",
J. Microsc. 216 (2004).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, fft, nn

from napari_deepblur.optics.settings import Optics
from napari_deepblur.optics.zernike import zernike

__all__ = ["Pupil3d"]

#: Above this cutoff the intensity, whose spectrum ends at 2 f_c, needs pixels of half the size.
_FINER_ABOVE = 0.25


class Pupil3d(nn.Module):
    """PSF on a periodic grid of voxels, all planes at once, and its derivatives in γ.

    The camera's pixel has an area, and a Gaussian stands for what else broadens a PSF: vibration,
    the filter's bandwidth, what is vectorial.

    Parameters
    ----------
    noll_indices
        Modes whose coefficients γ are the arguments.
    optics
        Of the stack.
    z_step_um
        From one plane to the next, µm.
    shape
        (Z, Y, X) of the grid.
    light_sheet_fwhm_um
        Full width at half maximum of a light sheet that excites around the focal plane.
    broadening_px
        Standard deviation of the lateral Gaussian, pixels.
    """

    modes: Tensor
    depth: Tensor
    inside: Tensor
    sheet: Tensor
    lateral: Tensor

    def __init__(
        self,
        noll_indices: Sequence[int],
        *,
        optics: Optics,
        z_step_um: float,
        shape: tuple[int, int, int],
        light_sheet_fwhm_um: float | None = None,
        broadening_px: float = 0.0,
    ) -> None:
        super().__init__()
        self.noll_indices = tuple(noll_indices)
        self.shape = shape
        self._finer = 2 if optics.cutoff > _FINER_ABOVE else 1
        self._grid = (shape[0], self._finer * shape[1], self._finer * shape[2])
        z_um = z_step_um * np.fft.fftfreq(shape[0], 1 / shape[0])
        frequency_y, frequency_x = (
            np.fft.fftfreq(side, optics.pixel_size_um / self._finer) for side in self._grid[1:]
        )
        ky, kx = np.meshgrid(frequency_y, frequency_x, indexing="ij")
        radius = np.hypot(ky, kx) * optics.wavelength_um / optics.numerical_aperture
        inside = radius <= 1
        rho, theta = radius[inside], np.arctan2(ky, kx)[inside]
        sine = rho * optics.numerical_aperture / optics.refractive_index
        cosine = np.sqrt(1 - sine**2)
        axial = optics.refractive_index / optics.wavelength_um * cosine
        phase = 2j * np.pi * np.outer(z_um, axial - axial.mean())

        def buffer(name: str, values: np.ndarray, dtype: torch.dtype) -> None:
            self.register_buffer(name, torch.as_tensor(values, dtype=dtype), persistent=False)

        buffer("modes", np.array([zernike(j, rho, theta) for j in noll_indices]), torch.float32)
        buffer("depth", np.exp(phase) / np.sqrt(cosine), torch.complex64)
        buffer("inside", np.flatnonzero(inside), torch.int64)
        buffer("sheet", _sheet(z_um, light_sheet_fwhm_um)[:, None, None], torch.float32)
        buffer("lateral", self._pixel_and_gaussian(broadening_px), torch.float32)

    def psf(self, coefficients: Tensor) -> Tensor:
        """PSF with its centre at the origin of the grid, shape (Z, Y, X), sum 1.

        Parameters
        ----------
        coefficients
            γ in waves RMS, shape (P,); the result is differentiable in it.
        """
        broad = self._broaden(self._intensity(self._amplitude(self._field(coefficients))))
        coarse = broad[:, :: self._finer, :: self._finer]
        return coarse / coarse.sum()

    def transfer(self, coefficients: Tensor) -> Tensor:
        """Fourier transform of the PSF, shape (Z, Y, X // 2 + 1), 1 at the origin."""
        spectrum: Tensor = fft.rfftn(self.psf(coefficients))
        return spectrum

    @torch.no_grad()
    def transfer_slopes(self, coefficients: Tensor) -> Iterator[Tensor]:
        """Yield the derivatives of the transfer function by each coefficient."""
        field = self._field(coefficients)
        amplitude = self._amplitude(field)
        psf = self._broaden(self._intensity(amplitude))[:, :: self._finer, :: self._finer]
        total = psf.sum()
        for mode in self.modes:
            turned = self._amplitude(2j * math.pi * mode * field)
            product = amplitude.real * turned.real + amplitude.imag * turned.imag
            slope = self._broaden(2 * self.sheet * product)[:, :: self._finer, :: self._finer]
            yield fft.rfftn((slope - psf * (slope.sum() / total)) / total)

    def slope(self, coefficients: Tensor, weights: Tensor) -> Tensor:
        """Differentiate Σ weights · PSF by each coefficient, shape (P,).

        Parameters
        ----------
        coefficients
            γ in waves RMS, shape (P,).
        weights
            Shape (Z, Y, X), the origin at the PSF's centre.
        """
        with torch.enable_grad():
            gamma = coefficients.detach().clone().requires_grad_()
            (slope,) = torch.autograd.grad((self.psf(gamma) * weights).sum(), gamma)
        return slope

    def _field(self, coefficients: Tensor) -> Tensor:
        """Pupil function of each plane, shape (Z, points of the pupil)."""
        if coefficients.shape != (len(self.noll_indices),):
            raise ValueError(
                f"expected {len(self.noll_indices)} coefficients (Noll {self.noll_indices}), "
                f"got shape {tuple(coefficients.shape)}"
            )
        angle = 2 * math.pi * (coefficients.float() @ self.modes)
        return self.depth * torch.complex(angle.cos(), angle.sin())

    def _amplitude(self, field: Tensor) -> Tensor:
        n_planes, height, width = self._grid
        pupil = field.new_zeros(n_planes, height * width).index_copy(1, self.inside, field)
        amplitude: Tensor = fft.ifft2(pupil.reshape(self._grid))
        return amplitude

    def _intensity(self, amplitude: Tensor) -> Tensor:
        return self.sheet * (amplitude.real.square() + amplitude.imag.square())

    def _broaden(self, intensity: Tensor) -> Tensor:
        broad: Tensor = fft.irfft2(fft.rfft2(intensity) * self.lateral, s=self._grid[1:])
        return broad

    def _pixel_and_gaussian(self, broadening_px: float) -> np.ndarray:
        """Lateral transfer function of the pixel's area and of the Gaussian."""
        ky = np.fft.fftfreq(self._grid[1], 1 / self._finer)[:, None]
        kx = np.fft.rfftfreq(self._grid[2], 1 / self._finer)
        gaussian = np.exp(-2 * (np.pi * broadening_px) ** 2 * (ky**2 + kx**2))
        return np.asarray(np.sinc(ky) * np.sinc(kx) * gaussian)


def _sheet(z_um: np.ndarray, fwhm_um: float | None) -> np.ndarray:
    if fwhm_um is None:
        return np.ones_like(z_um)
    return np.asarray(np.exp(-4 * math.log(2) * (z_um / fwhm_um) ** 2))
