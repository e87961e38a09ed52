"""The blurs that one deblurring network must serve: pupils of many cutoffs, and mere smears."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from napari_deepblur.operators import ZernikeFamily
from napari_deepblur.training.config import FamilyConfig

__all__ = ["Blurs", "gaussian_mixtures"]

_N_CUTOFFS = 5
_WINDOW = 31


class Blurs:
    """Draws PSFs of one kind and size per batch.

    Parameters
    ----------
    family
        The pupil's aberrations and the range of its cutoffs.
    smears
        Share of the batches whose blurs are Gaussian mixtures, which no pupil makes.
    device
        Where PSFs are made.
    """

    def __init__(self, family: FamilyConfig, smears: float, device: torch.device) -> None:
        self._families = [
            ZernikeFamily(family.noll_indices, limit_waves=family.limit_waves, cutoff=cutoff).to(
                device
            )
            for cutoff in torch.linspace(*family.cutoff, _N_CUTOFFS).tolist()
        ]
        self._smears = smears

    @property
    def middle(self) -> ZernikeFamily:
        """The family in the middle of the range of cutoffs."""
        return self._families[_N_CUTOFFS // 2]

    def sample(self, n: int, error: float, generator: Generator) -> tuple[Tensor, Tensor]:
        """PSFs (n, h, w), and what an estimate takes them for.

        Parameters
        ----------
        n
            Number of PSFs.
        error
            Half of the pupils have wrong coefficients, by normal errors of a standard deviation
            up to this, waves; mixtures are known as they are.
        generator
            Draws all that is random.
        """
        smeared, place = torch.rand(2, generator=generator, device=generator.device).tolist()
        if smeared < self._smears:
            psf = gaussian_mixtures(n, generator)
            return psf, psf
        family = self._families[int(place * _N_CUTOFFS)]
        gamma = family.admissible_set.sample(n, generator=generator)
        psf = family.psf(gamma)
        return psf, family.psf(_mistaken(gamma, error, generator)) if error else psf


def gaussian_mixtures(n: int, generator: Generator) -> Tensor:
    """PSFs (n, 31, 31) of sum 1: up to three elongated Gaussians near one another.

    Standard deviations 0.6 to 4 pixels, as of motion, coarse optics or a light sheet.
    """
    uniform = torch.rand(6, n, 3, 1, 1, generator=generator, device=generator.device)
    long = 0.6 * torch.exp(uniform[0] * math.log(4 / 0.6))
    short = long * (0.4 + 0.6 * uniform[1])
    angle = math.pi * uniform[2]
    # The first one lies in the middle: a PSF's centre is where its light is.
    present = torch.arange(3, device=generator.device).reshape(3, 1, 1)
    away = 2 * long * (present > 0)
    weight = uniform[5] * (present < 1 + 3 * uniform[5, :, :1])
    axis = torch.arange(_WINDOW, device=generator.device) - _WINDOW // 2
    y = axis[:, None] - away * (2 * uniform[3] - 1)
    x = axis - away * (2 * uniform[4] - 1)
    along = (angle.cos() * y + angle.sin() * x) / long
    across = (angle.cos() * x - angle.sin() * y) / short.clamp_min(0.4)
    spot = torch.exp(-(along.square() + across.square()) / 2)
    spot = spot / spot.sum((-2, -1), keepdim=True)
    mixture = (weight * spot).sum(1)
    return mixture / mixture.sum((-2, -1), keepdim=True)


def _mistaken(gamma: Tensor, error: float, generator: Generator) -> Tensor:
    """Coefficients as an estimate would give them, half of the rows wrong."""
    draw = torch.rand(len(gamma), 1, generator=generator, device=gamma.device)
    noise = torch.randn(gamma.shape, generator=generator, device=gamma.device)
    return gamma + error * (2 * draw - 1).clamp_min(0) * noise
