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

__all__ = ["Aberrated", "Pupil3d", "multiplicity"]

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
        cutoff = optics.numerical_aperture / optics.wavelength_um
        widths = [side * optics.pixel_size_um / self._finer for side in self._grid[1:]]
        # The box of frequencies that holds the pupil; where it lies turns phases only.
        most_y, most_x = (math.floor(cutoff * width) for width in widths)
        self._box = (2 * most_y + 1, 2 * most_x + 1)
        ky, kx = np.meshgrid(
            np.arange(-most_y, most_y + 1) / widths[0],
            np.arange(-most_x, most_x + 1) / widths[1],
            indexing="ij",
        )
        radius = np.hypot(ky, kx) / cutoff
        inside = radius <= 1
        rho, theta = radius[inside], np.arctan2(ky, kx)[inside]
        sine = rho * optics.numerical_aperture / optics.refractive_index
        cosine = np.sqrt(1 - sine**2)
        axial = optics.refractive_index / optics.wavelength_um * cosine
        self._axial, self._brightness = axial - axial.mean(), 1 / np.sqrt(cosine)
        self._sheet_fwhm_um = light_sheet_fwhm_um

        def buffer(name: str, values: np.ndarray, dtype: torch.dtype) -> None:
            self.register_buffer(name, torch.as_tensor(values, dtype=dtype), persistent=False)

        buffer("modes", np.array([zernike(j, rho, theta) for j in noll_indices]), torch.float32)
        buffer("depth", self._depth_of(z_um), torch.complex64)
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
        planes = self.at(coefficients).planes
        psf: Tensor = fft.irfft2(planes, s=self.shape[1:])
        return psf / psf.sum()

    def transfer(self, coefficients: Tensor) -> Tensor:
        """Fourier transform of the PSF, shape (Z, Y, X // 2 + 1), 1 at the origin."""
        return self.at(coefficients).transfer

    def at(self, coefficients: Tensor) -> Aberrated:
        """Compute what PSF and derivatives at γ have in common.

        Parameters
        ----------
        coefficients
            γ in waves RMS, shape (P,).
        """
        return Aberrated(self, self.depth * self._turn(coefficients))

    @torch.no_grad()
    def planes_at(self, coefficients: Tensor, z_um: np.ndarray) -> Tensor:
        """Fourier transform of single planes of the PSF, (depths, Y, X // 2 + 1).

        All that they need of the grid is its Y and X; planes of one γ have their sum in common.

        Parameters
        ----------
        coefficients
            γ in waves RMS, shape (P,).
        z_um
            Depths of the planes, µm.
        """
        depth = torch.as_tensor(self._depth_of(z_um), dtype=torch.complex64)
        amplitude = self.amplitude(depth * self._turn(coefficients))
        sheet = torch.as_tensor(_sheet(z_um, self._sheet_fwhm_um), dtype=torch.float32)
        intensity = amplitude.real.square() + amplitude.imag.square()
        return self._as_seen(sheet[:, None, None] * intensity)

    def amplitude(self, field: Tensor) -> Tensor:
        """Amplitude on the finer grid of pupil functions, shape (Z, points of the pupil).

        Up to a phase that is the same for all pupil functions.
        """
        _, height, width = self._grid
        rows, columns = self._box
        n_planes = len(field)
        pupil = field.new_zeros(n_planes, rows * columns).index_copy(1, self.inside, field)
        along_x = fft.ifft(pupil.reshape(n_planes, rows, columns), n=width)
        amplitude: Tensor = fft.ifft(along_x, n=height, dim=1)
        return amplitude

    def pupil_of(self, amplitude: Tensor) -> Tensor:
        """Transpose of `amplitude`, times the number of the grid's pixels."""
        rows, columns = self._box
        along_y = fft.fft(amplitude, dim=1)[:, :rows]
        whole: Tensor = fft.fft(along_y)[..., :columns]
        return whole.flatten(1)[:, self.inside]

    def planes_of(self, intensity: Tensor) -> Tensor:
        """Fourier transform of each plane as the camera's pixels see an intensity."""
        return self._as_seen(self.sheet * intensity)

    def _as_seen(self, intensity: Tensor) -> Tensor:
        """Fourier transform of each plane, seen by pixels of the grid."""
        spectrum: Tensor = fft.rfft2(intensity) * self.lateral
        if self._finer == 1:
            return spectrum
        # Every second pixel of an image: the halves of its spectrum fall onto each other.
        height, width = self.shape[1:]
        folded = spectrum[:, :height] + spectrum[:, height:]
        beyond = _mirrored(folded[..., width - width // 2 :])
        return (folded[..., : width // 2 + 1] + beyond) / 4

    def intensity_of(self, planes: Tensor) -> Tensor:
        """Transpose of `planes_of`, of real images given by their Fourier transforms."""
        if self._finer == 2:
            width = self.shape[2]
            beyond = _mirrored(planes[..., : width - width // 2])
            planes = torch.cat((planes, beyond), -1).repeat(1, 2, 1)
        intensity: Tensor = fft.irfft2(planes * self.lateral, s=self._grid[1:])
        return self.sheet * intensity

    def _turn(self, coefficients: Tensor) -> Tensor:
        """Phase of an aberration in the points of the pupil."""
        if coefficients.shape != (len(self.noll_indices),):
            raise ValueError(
                f"expected {len(self.noll_indices)} coefficients (Noll {self.noll_indices}), "
                f"got shape {tuple(coefficients.shape)}"
            )
        angle = 2 * math.pi * (coefficients.float() @ self.modes)
        return torch.complex(angle.cos(), angle.sin())

    def _depth_of(self, z_um: np.ndarray) -> np.ndarray:
        """Pupil functions without aberration, (depths, points of the pupil)."""
        phase = 2j * np.pi * np.outer(z_um, self._axial)
        return np.asarray(np.exp(phase) * self._brightness)

    def _pixel_and_gaussian(self, broadening_px: float) -> np.ndarray:
        """Lateral transfer function of the pixel's area and of the Gaussian."""
        ky = np.fft.fftfreq(self._grid[1], 1 / self._finer)[:, None]
        kx = np.fft.rfftfreq(self._grid[2], 1 / self._finer)
        gaussian = np.exp(-2 * (np.pi * broadening_px) ** 2 * (ky**2 + kx**2))
        return np.asarray(np.sinc(ky) * np.sinc(kx) * gaussian)


class Aberrated:
    """A pupil with an aberration.

    Parameters
    ----------
    pupil
        Without.
    field
        Pupil function of each plane, shape (Z, points of the pupil).

    Attributes
    ----------
    planes
        Fourier transform of each plane of the PSF, shape (Z, Y, X // 2 + 1).
    """

    def __init__(self, pupil: Pupil3d, field: Tensor) -> None:
        self._pupil = pupil
        self._field = field
        self._amplitude = pupil.amplitude(field)
        self.planes = pupil.planes_of(self._amplitude.real.square() + self._amplitude.imag.square())
        self._total = self.planes[:, 0, 0].real.sum()

    @property
    def transfer(self) -> Tensor:
        """Fourier transform of the PSF, shape (Z, Y, X // 2 + 1), 1 at the origin."""
        transfer: Tensor = fft.fft(self.planes / self._total, dim=0)
        return transfer

    @torch.no_grad()
    def transfer_slopes(self) -> Iterator[Tensor]:
        """Yield the derivatives of the transfer function by each coefficient."""
        for mode in self._pupil.modes:
            turned = self._pupil.amplitude(2j * math.pi * mode * self._field)
            change = self._amplitude.real * turned.real + self._amplitude.imag * turned.imag
            planes = self._pupil.planes_of(2 * change)
            share = planes[:, 0, 0].real.sum() / self._total
            yield fft.fft((planes - share * self.planes) / self._total, dim=0)

    @torch.no_grad()
    def slope(self, weights: Tensor) -> Tensor:
        """Differentiate Σ weights · PSF by each coefficient, shape (P,).

        Parameters
        ----------
        weights
            Fourier transform of the weights, shape (Z, Y, X // 2 + 1), their origin at the PSF's
            centre.
        """
        _, height, width = self._pupil.shape
        planes = fft.ifft(weights, dim=0)
        # The sum of the PSF stays 1: what the weights have in common does not count.
        product = planes.real * self.planes.real + planes.imag * self.planes.imag
        mean = (product * multiplicity(width)).sum() / (height * width * self._total)
        planes[:, 0, 0] -= mean * height * width
        pulled = self._pupil.pupil_of(self._pupil.intensity_of(planes) * self._amplitude)
        turned = (self._field * pulled.conj()).imag.sum(0)
        slope: Tensor = self._pupil.modes @ turned
        return slope * (-4 * math.pi / (self._amplitude[0].numel() * self._total))


def multiplicity(width: int) -> Tensor:
    """Count how often each bin of a half spectrum stands in the whole one, shape (X // 2 + 1,)."""
    times = torch.full((width // 2 + 1,), 2.0)
    times[0] = 1
    if width % 2 == 0:
        times[-1] = 1
    return times


def _mirrored(half: Tensor) -> Tensor:
    """Values of a real image's spectrum at the negative frequencies, in ascending order."""
    return half.flip(-2).roll(1, -2).flip(-1).conj()


def _sheet(z_um: np.ndarray, fwhm_um: float | None) -> np.ndarray:
    if fwhm_um is None:
        return np.ones_like(z_um)
    return np.asarray(np.exp(-4 * math.log(2) * (z_um / fwhm_um) ** 2))
