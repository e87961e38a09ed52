"""Training of the deblurring network over a family of blurs.

With the true operator first; towards the end, where the settings say so, with mistaken ones.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from napari_deepblur.engine.metrics import psnr
from napari_deepblur.networks.photometry import IntensityScale
from napari_deepblur.networks.unrolled import DeblurringNetwork
from napari_deepblur.operators import Convolution, ZernikeFamily
from napari_deepblur.training.config import DeblurringConfig, StageConfig
from napari_deepblur.training.loop import held_out_crops, held_out_folders
from napari_deepblur.training.sources import Source
from napari_deepblur.training.synthesis import add_noise, draw_noise_levels, observe

__all__ = ["DeblurringTask"]

_N_CUTOFFS = 5
_LEVEL_JITTER = 0.15
_ERROR_FLOOR = 1e-5
_N_VALIDATION = 24
_VALIDATION_SIZE = 192
_VALIDATION_LEVEL = 0.02


class DeblurringTask:
    """Network, loss and validation of deblurring with a given operator.

    Parameters
    ----------
    config
        Family, noise and network settings.
    device
        Where blurs are synthesised.
    """

    def __init__(self, config: DeblurringConfig, device: torch.device) -> None:
        self._config = config
        torch.manual_seed(config.seed)
        settings = config.family
        self._families = [
            ZernikeFamily(
                settings.noll_indices, limit_waves=settings.limit_waves, cutoff=cutoff
            ).to(device)
            for cutoff in torch.linspace(*settings.cutoff, _N_CUTOFFS).tolist()
        ]
        self.network = DeblurringNetwork(
            n_iterations=config.n_iterations,
            n_channels=config.n_channels,
            n_layers=config.n_layers,
            unshuffle=config.unshuffle,
        )
        self._device = device
        self._folders = held_out_folders(config, device)

    def loss(self, sources: Source, stage: StageConfig, generator: Generator) -> Tensor:
        """Mean of log(squared error + floor) over the field: PSNR, the figure that counts."""
        pick = int(torch.randint(_N_CUTOFFS, (), generator=generator, device=self._device))
        family = self._families[pick]
        gamma = family.admissible_set.sample(stage.batch, generator=generator)
        psf = family.psf(gamma)
        sharp = sources.sample(stage.batch, stage.crop + psf.shape[-1] - 1, generator)
        levels = draw_noise_levels(stage.batch, self._config.highest_noise, generator)
        clean = observe(sharp, psf)
        image = add_noise(clean, levels, generator)
        sigma = levels * clean.amax((-2, -1))
        # The user's level is an estimate: the network must not trust it to the digit.
        jitter = 2 * torch.rand(len(sigma), generator=generator, device=self._device) - 1
        believed = family.psf(_mistaken(gamma, stage.coefficient_error, generator))
        estimate, scale, operator = self._deblur(
            self.network, image, believed, sigma * (1 + _LEVEL_JITTER * jitter)
        )
        error = operator.crop(estimate) - scale.normalise(operator.crop(sharp))
        return (error.square().mean((-2, -1)) + _ERROR_FLOOR).log().mean()

    @torch.no_grad()
    def validate(self, network: nn.Module) -> dict[str, float]:
        """PSNR in dB of observed and deblurred held-out images at σ = 0.02."""
        family = self._families[_N_CUTOFFS // 2]
        psf = family.psf(family.admissible_set.sample(_N_VALIDATION, seed=1))
        size = _VALIDATION_SIZE + psf.shape[-1] - 1
        figures: dict[str, float] = {}
        for name, sharp in held_out_crops(self._folders, _N_VALIDATION, size):
            generator = Generator(self._device).manual_seed(2)
            clean = observe(sharp, psf)
            levels = torch.full((_N_VALIDATION,), _VALIDATION_LEVEL, device=self._device)
            image = add_noise(clean, levels, generator)
            sigma = _VALIDATION_LEVEL * clean.amax((-2, -1))
            estimate, scale, operator = self._deblur(network, image, psf, sigma)
            truth = operator.crop(sharp)
            restored = scale.restore(operator.crop(estimate))
            figures[f"{name} observed_psnr_db"] = float(psnr(image, truth).mean())
            figures[f"{name} deblurred_psnr_db"] = float(psnr(restored, truth).mean())
        return figures

    def _deblur(
        self, network: nn.Module, image: Tensor, psf: Tensor, sigma: Tensor
    ) -> tuple[Tensor, IntensityScale, Convolution]:
        """Estimate on the domain, in the network's scale."""
        scale = IntensityScale.of(image)
        operator = Convolution(psf, (image.shape[-2], image.shape[-1]))
        level = sigma / scale.span[:, 0, 0]
        with torch.autocast(self._device.type, torch.bfloat16):
            estimate = network(scale.normalise(image), operator, level)
        return estimate, scale, operator


def _mistaken(gamma: Tensor, error: float, generator: Generator) -> Tensor:
    """Coefficients as an estimate would give them: half of them wrong by up to `error`."""
    draw = torch.rand(len(gamma), 1, generator=generator, device=gamma.device)
    noise = torch.randn(gamma.shape, generator=generator, device=gamma.device)
    return gamma + error * (2 * draw - 1).clamp_min(0) * noise
