"""The blur of a real widefield microscope: an aberrated pupil, and a little more.

Real PSFs are broader than their pupil says: pixels, the bandwidth of the light, vibration and the
size of a bead add a blur that is nearly Gaussian. Without it an estimate takes the width for
aberrations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, fft
from torch.nn import functional

from napari_deepblur.operators.admissible_sets import HalfBox
from napari_deepblur.operators.families import ZernikeFamily
from napari_deepblur.optics.settings import CANONICAL_CUTOFF

__all__ = ["WidefieldFamily"]

#: Prior of the width, λ / 4NA: measured beads have 0.5 to 0.8, a pixel at the canonical cutoff
#: alone 0.3, a sample imaged with fine pixels less.
_USUAL_WIDTH, _WIDTH_STD = 0.3, 0.4


class WidefieldFamily(ZernikeFamily):
    """Circular pupil with Zernike aberrations, broadened by a Gaussian of unknown width.

    The last coefficient is the standard deviation of that Gaussian in units of λ / 4NA, which are
    pixels at the canonical cutoff.

    Parameters
    ----------
    noll_indices
        Modes; by default defocus to spherical aberration (Noll 4 to 11).
    limit_waves
        Largest |γ| of each mode, waves RMS.
    largest_width
        Largest standard deviation of the Gaussian, λ / 4NA.
    cutoff
        Pupil radius in cycles per pixel.
    """

    kind = "widefield"

    def __init__(
        self,
        noll_indices: Sequence[int] = tuple(range(4, 12)),
        *,
        limit_waves: float = 0.15,
        largest_width: float = 1.5,
        cutoff: float = CANONICAL_CUTOFF,
    ) -> None:
        super().__init__(noll_indices, limit_waves=limit_waves, cutoff=cutoff)
        self.largest_width = largest_width
        limits = [*self.admissible_set.high.tolist(), largest_width]
        self.admissible_set = HalfBox(
            limits, self.admissible_set.even, non_negative=[len(limits) - 1]
        )

    def completed(self, coefficients: Tensor, std: Tensor) -> tuple[Tensor, Tensor]:
        """Add the prior of the last coefficients to estimates of the first ones.

        Parameters
        ----------
        coefficients, std
            The first coefficients and their standard errors, shape (N, n).

        Returns
        -------
            The same of all P coefficients, shape (N, P).
        """
        n_read = coefficients.shape[-1]
        modes = self.n_coefficients - 1
        mean = torch.zeros(modes + 1)
        spread = torch.full((modes + 1,), self.prior_std)
        mean[modes], spread[modes] = _USUAL_WIDTH, _WIDTH_STD
        further = (len(coefficients), modes + 1 - n_read)
        return (
            torch.cat([coefficients, mean[n_read:].expand(further)], -1),
            torch.cat([std, spread[n_read:].expand(further)], -1),
        )

    @property
    def coefficient_names(self) -> tuple[str, ...]:
        """Names of the modes, and of the width."""
        return (*super().coefficient_names, "extra blur (λ/4NA)")

    def wavefront(self, coefficients: Tensor) -> Tensor:
        """Coefficients of the pupil's modes in waves RMS, (..., P) to (..., number of modes)."""
        return coefficients[..., :-1]

    def psf(self, coefficients: Tensor) -> Tensor:
        """PSF, shape (..., P) to (..., h, w), sum 1."""
        psf = super().psf(self.wavefront(coefficients))
        side = psf.shape[-1]
        # The Gaussian must not wrap around.
        grid = 2 * side
        spectrum = fft.rfft2(_padded(psf, grid))
        otf = spectrum * self._gaussian(coefficients[..., -1], grid)
        broad: Tensor = fft.irfft2(otf, s=(grid, grid))[..., :side, :side].clamp_min(0)
        return broad / broad.sum((-2, -1), keepdim=True)

    def transfer(self, coefficients: Tensor, grid: int) -> tuple[Tensor, Tensor]:
        """OTF on a grid of frequencies, and its slopes: see `OperatorFamily.transfer`."""
        otf, slopes = super().transfer(self.wavefront(coefficients), grid)
        width = coefficients[-1]
        gaussian = self._gaussian(width, grid)
        otf = otf * gaussian
        by_width = -width * self._squared_angle(grid) * otf
        return otf, torch.cat([slopes * gaussian, by_width[None]])

    def at_cutoff(self, cutoff: float) -> WidefieldFamily:
        """Make the same family, its modes, limits and widths, with other pixels."""
        return WidefieldFamily(
            self.pupil.noll_indices,
            limit_waves=self.limit_waves,
            largest_width=self.largest_width,
            cutoff=cutoff,
        ).to(self.admissible_set.low.device)

    def _gaussian(self, width: Tensor, grid: int) -> Tensor:
        """Transfer function of the Gaussian, (...) to (..., G, G / 2 + 1)."""
        squared = torch.as_tensor(width)[..., None, None].square()
        return torch.exp(-0.5 * squared * self._squared_angle(grid))

    def _squared_angle(self, grid: int) -> Tensor:
        """(2π f)² of each frequency f, in cycles per λ / 4NA."""
        device = self.admissible_set.low.device
        y, x = fft.fftfreq(grid, device=device)[:, None], fft.rfftfreq(grid, device=device)
        scale = 2 * math.pi * CANONICAL_CUTOFF / self.cutoff
        squared: Tensor = scale**2 * (y.square() + x.square())
        return squared


def _padded(psf: Tensor, grid: int) -> Tensor:
    missing = grid - psf.shape[-1]
    return functional.pad(psf, (0, missing, 0, missing))
