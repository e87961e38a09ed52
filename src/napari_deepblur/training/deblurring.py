"""Training of the deblurring network over many kinds of blurs.

With the true operator first; towards the end, where the settings say so, with mistaken ones.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from napari_deepblur.engine.metrics import psnr, ssim
from napari_deepblur.engine.models import Model
from napari_deepblur.networks.photometry import IntensityScale
from napari_deepblur.networks.unrolled import DeblurringNetwork
from napari_deepblur.operators.fourier_blur import FourierBlur
from napari_deepblur.training.config import DeblurringConfig, StageConfig
from napari_deepblur.training.data.blurs import Blurs
from napari_deepblur.training.data.sources import Source
from napari_deepblur.training.data.synthesis import add_noise, draw_noise_levels
from napari_deepblur.training.loop import held_out_crops, held_out_folders

__all__ = ["DeblurringTask"]

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
        Blurs, noise and network settings.
    device
        Where blurs are synthesised.
    """

    def __init__(self, config: DeblurringConfig, device: torch.device) -> None:
        self._config = config
        torch.manual_seed(config.seed)
        self._blurs = Blurs(config, device)
        #: The family that the model is for, at the canonical cutoff.
        self.family = self._blurs.family
        self.arguments: dict[str, float | int] = config.model_dump(
            include={"n_iterations", "n_channels", "n_layers", "unshuffle"}
        )
        self.network = DeblurringNetwork(**self.arguments)  # type: ignore[arg-type]
        self._device = device
        self._folders = held_out_folders(config, device)

    def start_from(self, model: Model) -> None:
        """Take a model's weights, whatever its family: the network serves them all."""
        self.network.load_state_dict(model.deblurring.state_dict())

    def loss(self, sources: Source, stage: StageConfig, generator: Generator) -> Tensor:
        """Mean of log(squared error + floor) over the field: PSNR, the figure that counts."""
        operator, believed = self._blurs.sample(
            stage.batch, stage.crop, stage.coefficient_error, generator
        )
        sharp = sources.sample(stage.batch, operator.domain_shape[0], generator)
        levels = draw_noise_levels(stage.batch, self._config.highest_noise, generator)
        clean = operator(sharp)
        image = add_noise(clean, levels, generator)
        sigma = levels * clean.amax((-2, -1))
        # The user's level is an estimate: the network must not trust it to the digit.
        jitter = 2 * torch.rand(len(sigma), generator=generator, device=self._device) - 1
        estimate, scale = self._deblur(
            self.network, image, believed, sigma * (1 + _LEVEL_JITTER * jitter)
        )
        error = operator.crop(estimate) - scale.normalise(operator.crop(sharp))
        return (error.square().mean((-2, -1)) + _ERROR_FLOOR).log().mean()

    @torch.no_grad()
    def validate(
        self, network: nn.Module, noise_level: float = _VALIDATION_LEVEL
    ) -> dict[str, float]:
        """Measure PSNR in dB and SSIM of observed and deblurred held-out images at one σ."""
        operator = self._blurs.validation(_N_VALIDATION, _VALIDATION_SIZE)
        size = operator.domain_shape[0]
        figures: dict[str, float] = {}
        for name, sharp in held_out_crops(self._folders, _N_VALIDATION, size):
            generator = Generator(self._device).manual_seed(2)
            clean = operator(sharp)
            levels = torch.full((_N_VALIDATION,), noise_level, device=self._device)
            image = add_noise(clean, levels, generator)
            sigma = noise_level * clean.amax((-2, -1))
            estimate, scale = self._deblur(network, image, operator, sigma)
            truth = operator.crop(sharp)
            restored = scale.restore(operator.crop(estimate))
            for what, picture in (("observed", image), ("deblurred", restored)):
                figures[f"{name} {what}_psnr_db"] = float(psnr(picture, truth).mean())
                figures[f"{name} {what}_ssim"] = float(ssim(picture, truth).mean())
        return figures

    def _deblur(
        self, network: nn.Module, image: Tensor, operator: FourierBlur, sigma: Tensor
    ) -> tuple[Tensor, IntensityScale]:
        """Estimate on the domain, in the network's scale."""
        scale = IntensityScale.of(image)
        level = sigma / scale.span[:, 0, 0]
        with torch.autocast(self._device.type, torch.bfloat16):
            estimate = network(scale.normalise(image), operator, level)
        return estimate, scale
