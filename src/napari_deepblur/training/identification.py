"""Training of the identification network, in PSF space.

A squared error in γ learns to answer small γ, that is, too sharp a PSF; the network
therefore answers coordinates in the family's eigen-PSF space, where the squared error is
the PSF's own.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from napari_deepblur.engine.metrics import psf_snr
from napari_deepblur.networks.identification import IdentificationNetwork
from napari_deepblur.operators import EigenPsfSpace, ZernikeFamily
from napari_deepblur.training.config import IdentificationConfig, StageConfig
from napari_deepblur.training.loop import held_out_crops, held_out_folders
from napari_deepblur.training.sources import Source
from napari_deepblur.training.synthesis import add_noise, draw_noise_levels, observe

__all__ = ["IdentificationTask"]

_N_VALIDATION = 48
_VALIDATION_SIZE = 256
_VALIDATION_LEVELS = (0.0, 0.05)


class IdentificationTask:
    """Network, loss and validation of blur identification.

    Parameters
    ----------
    config
        Family, noise and network settings.
    device
        Where blurs are synthesised.
    """

    def __init__(self, config: IdentificationConfig, device: torch.device) -> None:
        self._config = config
        torch.manual_seed(config.seed)
        settings = config.family
        family = ZernikeFamily(
            settings.noll_indices, limit_waves=settings.limit_waves, cutoff=settings.cutoff[0]
        )
        self.space = EigenPsfSpace.of(family, n_eigen_psfs=config.n_eigen_psfs).to(device)
        self.network = IdentificationNetwork(
            config.n_eigen_psfs, whitening_exponent=config.whitening_exponent
        )
        self._device = device
        self._folders = held_out_folders(config, device)

    def loss(self, sources: Source, stage: StageConfig, generator: Generator) -> Tensor:
        """Mean of log(relative PSF error + floor): dB, the figure that counts."""
        family = self.space.family
        psf = family.psf(family.admissible_set.sample(stage.batch, generator=generator))
        margin = psf.shape[-1] - 1
        sharp = sources.sample(stage.batch, stage.crop + margin, generator)
        levels = draw_noise_levels(stage.batch, self._config.highest_noise, generator)
        image = add_noise(observe(sharp, psf), levels, generator)
        with torch.autocast(self._device.type, torch.bfloat16):
            answer = self.network(image)
        error = ((answer - self.space.encode(psf)) * self.space.scale).square().sum(-1)
        relative = error / psf.square().sum((-2, -1))
        loss: Tensor = (relative + self._config.error_floor).log().mean()
        return loss

    @torch.no_grad()
    def validate(self, network: nn.Module) -> dict[str, float]:
        """PSF-SNR in dB on each folder's held-out images, noiseless and noisy."""
        family = self.space.family
        psf = family.psf(family.admissible_set.sample(_N_VALIDATION, seed=1))
        size = _VALIDATION_SIZE + psf.shape[-1] - 1
        figures: dict[str, float] = {}
        for name, sharp in held_out_crops(self._folders, _N_VALIDATION, size):
            clean = observe(sharp, psf)
            for level in _VALIDATION_LEVELS:
                generator = Generator(self._device).manual_seed(2)
                levels = torch.full((_N_VALIDATION,), level, device=self._device)
                image = add_noise(clean, levels, generator)
                with torch.autocast(self._device.type, torch.bfloat16):
                    answer = torch.cat([network(part) for part in image.split(8)])
                snr = psf_snr(self.space.decode(answer), psf)
                figures[f"{name} psf_snr_db sigma={level:g}"] = float(snr.mean())
        return figures
