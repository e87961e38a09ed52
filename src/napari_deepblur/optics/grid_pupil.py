"""The pupil on a grid of frequencies, for PSFs whose window is large.

`Pupil` integrates over the disc by a quadrature, whose cost grows with the fourth power of the
window's side. Far from focus windows are large; there a Fourier transform of the pupil on a grid
is a hundred times as fast. A point of the grid at the pupil's edge counts by the share of its
cell that lies inside.

Source: J. W. Goodman, *Introduction to Fourier Optics*, ch. 6.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, fft

from napari_deepblur.optics.settings import Optics
from napari_deepblur.optics.zernike import zernike

__all__ = ["GridPupil"]


class GridPupil:
    """Circular pupil with Zernike phase, sampled on a grid; gives PSFs out of focus.

    Parameters
    ----------
    noll_indices
        Modes whose coefficients are the arguments of `psf`.
    window
        Side of the square PSF in pixels, odd. The PSF is one of period `window + 3`: light that
        reaches farther comes in again on the other side.
    optics
        Optics of the microscope; its cutoff is at most 0.25 cycles per pixel.

    Raises
    ------
    ValueError
        If the window is even, or the pixels are too large to hold the intensity.
    """

    def __init__(self, noll_indices: Sequence[int], *, window: int, optics: Optics) -> None:
        if window < 1 or window % 2 == 0:
            raise ValueError(f"window must be odd and positive, got {window}")
        if optics.cutoff > 0.25 * (1 + 1e-9):
            raise ValueError(f"the cutoff must be at most 0.25, got {optics.cutoff:.3g}")
        self.window = window
        self._side = window + 3
        radius = optics.cutoff * self._side
        self._reach = math.ceil(radius)
        steps = np.arange(-self._reach, self._reach + 1)
        ky, kx = np.meshgrid(steps, steps, indexing="ij")
        share = (radius + 0.5 - np.hypot(ky, kx)).clip(0, 1)
        seen = share > 0
        rho = np.minimum(np.hypot(ky, kx)[seen] / radius, 1)
        theta = np.arctan2(ky, kx)[seen]
        sine = rho * optics.numerical_aperture / optics.refractive_index
        axial = optics.refractive_index / optics.wavelength_um * np.sqrt(1 - sine**2)
        self._inside = torch.from_numpy(np.flatnonzero(seen))
        self._share = torch.from_numpy(share[seen]).float()
        self._modes = torch.from_numpy(np.array([zernike(j, rho, theta) for j in noll_indices]))
        self._modes = self._modes.float()
        self._axial = torch.from_numpy(axial - axial.mean()).float()

    def psf(self, coefficients: Tensor, *, defocus_um: Tensor) -> Tensor:
        """Compute PSFs at distances from the focal plane.

        Parameters
        ----------
        coefficients
            γ in waves RMS, shape (N, P).
        defocus_um
            Distances, µm, shape (N,).

        Returns
        -------
            Shape (N, window, window), sum 1.
        """
        waves = coefficients.float() @ self._modes + defocus_um.float()[:, None] * self._axial
        field = torch.polar(self._share.expand_as(waves), 2 * math.pi * waves)
        box, n = 2 * self._reach + 1, len(waves)
        pupil = field.new_zeros(n, box * box).index_copy(1, self._inside, field)
        # Where the box of frequencies lies turns phases only.
        along_x = fft.ifft(pupil.unflatten(1, (box, box)), n=self._side)
        amplitude = fft.ifft(along_x, n=self._side, dim=1)
        intensity = amplitude.real.square() + amplitude.imag.square()
        half = self.window // 2
        psf: Tensor = intensity.roll((half, half), (1, 2))[:, : self.window, : self.window]
        return psf / psf.sum((-2, -1), keepdim=True)
