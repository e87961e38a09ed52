"""Blurs for the training of the deblurring network: pupils, varying ones, Gaussian mixtures."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from napari_deepblur.operators import Convolution, OperatorFamily, ZernikeFamily
from napari_deepblur.operators.family_file import read_family
from napari_deepblur.operators.fourier_blur import FourierBlur
from napari_deepblur.operators.product_convolution_family import ProductConvolutionFamily
from napari_deepblur.optics.settings import CANONICAL_CUTOFF
from napari_deepblur.training.config import DeblurringConfig, FamilyFolderConfig

__all__ = ["Blurs", "gaussian_mixtures"]

_N_CUTOFFS = 5
_WINDOW = 31

#: Members of a varying family that are drawn once: a hull takes its time.
_N_MEMBERS = 512

#: Share of the field's side that a training crop shows.
_CROP_SHARES = (0.1, 0.6)

#: A mistaken member of a varying family lies up to this far on the way to another one.
_MISTAKE = 0.3


class Blurs:
    """Draws blurs of one kind per batch.

    Parameters
    ----------
    config
        Families, the range of their cutoffs, and how often each kind is drawn.
    device
        Device of the operators.
    """

    def __init__(self, config: DeblurringConfig, device: torch.device) -> None:
        self._device = device
        self._smears = config.gaussian_mixtures
        cutoffs = torch.linspace(*config.family.cutoff, _N_CUTOFFS).tolist()
        folders = list(config.varying_families)
        self._varying_share = config.varying
        self._pupils: list[ZernikeFamily] = []
        if isinstance(config.family, FamilyFolderConfig):
            folders = [config.family.folder, *folders]
            self._varying_share = 1 - self._smears
        else:
            pupil = config.family.read().to(device)
            self._pupils = [pupil.at_cutoff(cutoff) for cutoff in cutoffs]
        read = [
            read_family(folder / "family.npz").at_cutoff(CANONICAL_CUTOFF) for folder in folders
        ]
        self._members = [family.admissible_set.sample(_N_MEMBERS, seed=0) for family in read]
        self._varying = [
            [family.at_cutoff(cutoff).to(device) for cutoff in cutoffs] for family in read
        ]
        #: The family that the model is for, at the canonical cutoff.
        self.family: OperatorFamily = pupil if self._pupils else read[0].to(device)

    def validation(self, n: int, side: int) -> FourierBlur:
        """Draw fixed blurs of the model's family, in the middle of the range of cutoffs."""
        family = (self._pupils or self._varying[0])[_N_CUTOFFS // 2]
        gamma = family.admissible_set.sample(n, seed=1)
        return family.operator(gamma.to(self._device), (side, side))

    def sample(
        self, n: int, side: int, error: float, generator: Generator
    ) -> tuple[FourierBlur, FourierBlur]:
        """Draw the blurs of n crops of side × side pixels, and those that an estimate would give.

        Parameters
        ----------
        n
            Number of blurs to draw.
        side
            Of the observed crops.
        error
            Half of the pupils have wrong coefficients, by normal errors of a standard deviation
            up to this, waves, and if it is positive half of the varying blurs are mistaken too;
            mixtures are known as they are.
        generator
            Draws all that is random.
        """
        kind, place = torch.rand(2, generator=generator, device=generator.device).tolist()
        if kind < self._varying_share:
            which = int(kind / self._varying_share * len(self._varying))
            family = self._varying[which][int(place * _N_CUTOFFS)]
            return self._varying_blurs(
                family, self._members[which], n=n, side=side, error=error, generator=generator
            )
        shape = (side, side)
        if kind < self._varying_share + self._smears:
            smeared = Convolution(gaussian_mixtures(n, generator), shape)
            return smeared, smeared
        pupil = self._pupils[int(place * _N_CUTOFFS)]
        gamma = pupil.admissible_set.sample(n, generator=generator)
        true = Convolution(pupil.psf(gamma), shape)
        if not error:
            return true, true
        return true, Convolution(pupil.psf(_mistaken(gamma, error, generator)), shape)

    @staticmethod
    def _varying_blurs(
        family: ProductConvolutionFamily,
        members: Tensor,
        *,
        n: int,
        side: int,
        error: float,
        generator: Generator,
    ) -> tuple[FourierBlur, FourierBlur]:
        """Blurs of crops somewhere in the field."""
        device = generator.device
        members = members.to(device)
        picks = torch.randint(len(members), (2, n), generator=generator, device=device)
        gamma, other = members[picks[0]], members[picks[1]]
        uniform = torch.rand(3, generator=generator, device=device).tolist()
        low, high = _CROP_SHARES
        share = low + (high - low) * uniform[0]
        corner = [-1 + 2 * (1 - share) * value for value in uniform[1:]]
        region = torch.tensor([corner, [value + 2 * share for value in corner]])
        true = family.operator_in(gamma, (side, side), region)
        if not error:
            return true, true
        draw = 2 * torch.rand(n, 1, generator=generator, device=device) - 1
        believed = gamma + _MISTAKE * draw.clamp_min(0) * (other - gamma)
        return true, family.operator_in(believed, (side, side), region)


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
    """Coefficients as an estimate would give them: half of the rows are wrong."""
    draw = torch.rand(len(gamma), 1, generator=generator, device=gamma.device)
    noise = torch.randn(gamma.shape, generator=generator, device=gamma.device)
    return gamma + error * (2 * draw - 1).clamp_min(0) * noise
