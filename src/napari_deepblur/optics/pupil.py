"""Point-spread function of a pupil with aberrations: a scalar model in two dimensions.

Source: J. W. Goodman, *Introduction to Fourier Optics*, ch. 6: the incoherent PSF is
the squared modulus of the pupil function's Fourier transform.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from napari_deepblur.optics.settings import CANONICAL_CUTOFF, Optics
from napari_deepblur.optics.zernike import noll_to_radial_azimuthal, zernike

__all__ = ["Pupil", "window_for"]

#: Half width of the canonical 31 × 31 window, in units of 1 / cutoff.
_HALF_WINDOW = 15 * CANONICAL_CUTOFF

_DEGREE_OF_DEPTH = 10

#: Windows up to this side use a dense kernel (nodes × pixels): faster in batches, but its memory
#: is nodes × side², 0.5 GB at a side of 95 with depth.
_LARGEST_DENSE_WINDOW = 51

#: Nodes × rows × PSFs that the factorised form holds at once.
_CHUNK = 2**24


def window_for(cutoff: float) -> int:
    """Compute the odd window that shows as much of the PSF as 31 × 31 at the canonical cutoff."""
    return 2 * math.ceil(_HALF_WINDOW / cutoff - 1e-9) + 1


class Pupil(nn.Module):
    """Circular pupil with Zernike phase; gives the PSF and its gradient in γ.

    The Fourier integral over the disc is a quadrature (Gauss-Legendre in ρ², trapezoid in
    angle), not an FFT of a pixelated disc: it converges spectrally, so the PSF has no
    staircase at the pupil's edge and may be sampled at any cutoff.

    Parameters
    ----------
    noll_indices
        Modes whose coefficients γ are the arguments of `psf`.
    cutoff
        Pupil radius NA · pixel / λ in cycles per pixel.
    window
        Side of the square PSF in pixels, odd; by default `window_for(cutoff)`.
    optics
        Optics of the microscope; needed for `defocus_um` only.
    """

    modes: Tensor
    weights: Tensor
    kernel: Tensor
    phase_y: Tensor
    phase_x: Tensor
    axial: Tensor

    def __init__(
        self,
        noll_indices: Sequence[int],
        *,
        cutoff: float = CANONICAL_CUTOFF,
        window: int | None = None,
        optics: Optics | None = None,
    ) -> None:
        super().__init__()
        if cutoff <= 0:
            raise ValueError(f"cutoff must be positive, got {cutoff:g}")
        window = window_for(cutoff) if window is None else window
        if window < 1 or window % 2 == 0:
            raise ValueError(f"window must be odd and positive, got {window}")
        self.noll_indices = tuple(noll_indices)
        self.cutoff = cutoff
        self.window = window

        degree = max((noll_to_radial_azimuthal(j)[0] for j in self.noll_indices), default=0)
        # Many high modes together bend the phase faster than any one of them.
        degree += 3 * max(0, degree - 3)
        # Depth bends the phase by many waves: it asks for as many nodes as a high degree.
        degree = degree + _DEGREE_OF_DEPTH if optics is not None else degree
        corner = window / math.sqrt(2)
        rho, theta, weights = _disc_quadrature(2 * math.pi * cutoff * corner, degree)
        modes = np.array([zernike(j, rho, theta) for j in self.noll_indices])
        modes = modes.reshape(len(self.noll_indices), rho.size)
        pixels = np.arange(window) - window // 2
        phase_y = np.exp(2j * np.pi * cutoff * np.outer(rho * np.sin(theta), pixels))
        phase_x = np.exp(2j * np.pi * cutoff * np.outer(rho * np.cos(theta), pixels))
        self._is_dense = window <= _LARGEST_DENSE_WINDOW

        def buffer(name: str, values: np.ndarray, dtype: torch.dtype) -> None:
            self.register_buffer(name, torch.as_tensor(values, dtype=dtype), persistent=False)

        buffer("modes", modes, torch.float32)
        buffer("weights", weights, torch.float32)
        if self._is_dense:
            kernel = (phase_y[:, :, None] * phase_x[:, None, :]).reshape(rho.size, -1)
            buffer("kernel", kernel, torch.complex64)
        else:
            buffer("phase_y", phase_y.T.copy(), torch.complex64)
            buffer("phase_x", phase_x, torch.complex64)
        buffer("axial", _axial_waves_per_um(rho, optics), torch.float32)
        self._knows_depth = optics is not None

    def psf(self, coefficients: Tensor, *, defocus_um: Tensor | float | None = None) -> Tensor:
        """Compute the PSF of each coefficient vector, normalised to sum 1 over the window.

        Parameters
        ----------
        coefficients
            Coefficients γ in waves RMS, shape (..., P).
        defocus_um
            Distance from the focal plane, µm, shape (...) or a number.

        Returns
        -------
            Shape (..., window, window), non-negative.

        Raises
        ------
        ValueError
            If P is not the number of modes, or a depth is given without `optics`.
        """
        amplitude = self._amplitude(self._field(coefficients, defocus_um))
        intensity = _intensity(amplitude)
        return intensity / intensity.sum((-2, -1), keepdim=True)

    def psf_and_slopes(self, coefficients: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the PSF of each coefficient vector, and its derivative by each coefficient.

        Parameters
        ----------
        coefficients
            Coefficients γ in waves RMS, shape (..., P).

        Returns
        -------
            Shapes (..., window, window) and (..., P, window, window).

        Raises
        ------
        ValueError
            If P is not the number of modes.
        """
        field = self._field(coefficients)
        amplitude = self._amplitude(field)
        # By the chain rule: a coefficient turns the phase of the field at each node.
        turned = self._amplitude(2j * math.pi * self.modes * field[..., None, :])
        slopes = 2 * (amplitude.conj()[..., None, :, :] * turned).real
        intensity = _intensity(amplitude)
        total = intensity.sum((-2, -1), keepdim=True)
        psf = intensity / total
        lost = slopes.sum((-2, -1), keepdim=True) * psf[..., None, :, :]
        return psf, (slopes - lost) / total[..., None, :, :]

    def _field(self, coefficients: Tensor, defocus_um: Tensor | float | None = None) -> Tensor:
        """Compute the field at the nodes, weighted for the quadrature, (..., P) to (..., nodes)."""
        if coefficients.shape[-1] != len(self.noll_indices):
            raise ValueError(
                f"expected {len(self.noll_indices)} coefficients (Noll {self.noll_indices}), "
                f"got {coefficients.shape[-1]}"
            )
        waves = coefficients.float() @ self.modes
        if defocus_um is not None:
            if not self._knows_depth:
                raise ValueError("defocus_um needs a Pupil made with optics=Optics(...)")
            depth = torch.as_tensor(defocus_um, dtype=waves.dtype, device=waves.device)
            waves = waves + depth[..., None] * self.axial
        angle = 2 * math.pi * waves
        return torch.complex(self.weights * angle.cos(), self.weights * angle.sin())

    def _amplitude(self, field: Tensor) -> Tensor:
        """Compute the Fourier integral of a field, (..., nodes) to (..., window, window)."""
        shape = (*field.shape[:-1], self.window, self.window)
        if self._is_dense:
            return (field @ self.kernel).reshape(shape)
        # exp(2πi k·x) is a factor of y times one of x.
        size = max(1, _CHUNK // self.phase_y.numel())
        parts = [
            (part[:, None, :] * self.phase_y) @ self.phase_x
            for part in field.reshape(-1, field.shape[-1]).split(size)
        ]
        return torch.cat(parts).reshape(shape)


def _intensity(amplitude: Tensor) -> Tensor:
    return amplitude.real.square() + amplitude.imag.square()


def _disc_quadrature(
    largest_argument: float, degree: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make nodes (ρ, θ) and weights (sum 1) on the unit disc for integrands up to exp(i v ρ)."""
    n_radial = math.ceil(largest_argument / 4) + degree + 6
    n_angular = 2 * math.ceil(largest_argument / 2 + degree + 6)
    nodes, radial_weights = np.polynomial.legendre.leggauss(n_radial)
    radii = np.sqrt((nodes + 1) / 2)  # uniform in ρ², the disc's own measure
    angles = 2 * np.pi * np.arange(n_angular) / n_angular
    rho, theta = (grid.ravel() for grid in np.meshgrid(radii, angles, indexing="ij"))
    weights = np.repeat(radial_weights / 2, n_angular) / n_angular
    return rho, theta, weights


def _axial_waves_per_um(rho: np.ndarray, optics: Optics | None) -> np.ndarray:
    """Phase that one µm of defocus adds at each node, in waves (no paraxial approximation)."""
    if optics is None:
        return np.zeros_like(rho)
    sine = optics.numerical_aperture * rho / optics.refractive_index
    axial = optics.refractive_index / optics.wavelength_um * np.sqrt(1 - sine**2)
    return np.asarray(axial - axial.mean())
