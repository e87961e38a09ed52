"""Training of the deblurring network over many kinds of blurs.

With the true operator first; towards the end, where the settings say so, with mistaken ones.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Generator, Tensor, nn

from napari_deepblur.engine.metrics import psnr, ssim
from napari_deepblur.engine.models import Model
from napari_deepblur.networks.half_quadratic import HalfQuadraticNetwork
from napari_deepblur.networks.photometry import IntensityScale
from napari_deepblur.networks.unrolled import Unrolled
from napari_deepblur.operators.fourier_blur import FourierBlur
from napari_deepblur.training.config import DeblurringConfig, StageConfig
from napari_deepblur.training.data.blurs import Blurs
from napari_deepblur.training.data.photon_noise import NoisyImages, add_photon_noise
from napari_deepblur.training.data.sources import Source
from napari_deepblur.training.data.synthesis import draw_noise_levels
from napari_deepblur.training.denoising import denoising_loss, draw_contrasts
from napari_deepblur.training.loop import held_out_crops, held_out_folders

__all__ = ["DeblurringTask"]

_ERROR_FLOOR = 1e-5
#: Peak of a crop that counts as dark, so that nothing is divided by 0.
_LEAST_PEAK = 1e-3
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
        self.arguments = config.network.model_dump()
        self.network = config.network.build()
        self._device = device
        self._folders = held_out_folders(config, device)

    def start_from(self, model: Model) -> None:
        """Take a model's weights, whatever its family: the network serves them all."""
        self.network.load_state_dict(model.deblurring.state_dict())

    def loss(self, sources: Source, stage: StageConfig, generator: Generator) -> Tensor:
        """Loss of one batch: of deblurring, or of the denoiser alone where the stage says so."""
        if stage.learns == "denoising":
            assert isinstance(self.network, HalfQuadraticNetwork)
            sharp = sources.sample(stage.batch, stage.crop, generator)
            return denoising_loss(self.network.denoiser, sharp, generator)
        return self._deblurring_loss(sources, stage, generator)

    def _deblurring_loss(self, sources: Source, stage: StageConfig, generator: Generator) -> Tensor:
        """Loss of the estimate after the last iteration and, where asked, of those before."""
        sharp, noisy, scale, believed = self.crops(sources, stage, generator)
        estimates = self._estimates(self.network, noisy, believed, scale)
        truth = scale.normalise(believed.crop(sharp))
        *earlier, last = (_loss(believed.crop(estimate), truth) for estimate in estimates)
        if not earlier or not stage.earlier_iterations:
            return last
        weight = stage.earlier_iterations
        return (last + weight * torch.stack(earlier).mean()) / (1 + weight)

    def crops(
        self, sources: Source, stage: StageConfig, generator: Generator
    ) -> tuple[Tensor, NoisyImages, IntensityScale, FourierBlur]:
        """Draw one batch.

        Returns
        -------
            Sharp crops on the domain, the noisy images, their scale of intensities, and the blur
            with which they are to be deblurred.
        """
        operator, believed = self._blurs.sample(
            stage.batch, stage.crop, stage.coefficient_error, generator
        )
        sharp = sources.sample(stage.batch, operator.domain_shape[0], generator)
        return *self._observe(sharp, operator, generator), believed

    def _observe(
        self, sharp: Tensor, operator: FourierBlur, generator: Generator
    ) -> tuple[Tensor, NoisyImages, IntensityScale]:
        """Blur crops and add noise, half of them as dim parts of a field whose maximum is 1.

        Returns
        -------
            The crops as dim as they were made, the noisy images, and the scale of intensities
            of the whole field.
        """
        levels = draw_noise_levels(len(sharp), self._config.highest_noise, generator)
        contrast, whole = draw_contrasts(len(sharp), generator)
        sharp = contrast * sharp
        clean = operator(sharp)
        # The noise is that of the whole field.
        peak = clean.amax((-2, -1)).clamp_min(_LEAST_PEAK).where(~whole[:, 0, 0], 1)
        noisy = add_photon_noise(clean, levels / peak, generator)
        scale = IntensityScale.of(noisy.image)
        scale = IntensityScale(scale.dark.where(whole, 0), scale.span.where(whole, 1))
        return sharp, noisy, scale

    @torch.no_grad()
    def validate(
        self, network: nn.Module, noise_level: float = _VALIDATION_LEVEL
    ) -> dict[str, float]:
        """Measure PSNR in dB and SSIM of observed and deblurred held-out images at one σ."""
        operator = self._blurs.validation(_N_VALIDATION, _VALIDATION_SIZE)
        size = operator.domain_shape[0]
        assert isinstance(network, Unrolled)
        figures: dict[str, float] = {}
        for name, sharp in held_out_crops(self._folders, _N_VALIDATION, size):
            generator = Generator(self._device).manual_seed(2)
            clean = operator(sharp)
            levels = torch.full((_N_VALIDATION,), noise_level, device=self._device)
            noisy = add_photon_noise(clean, levels, generator)
            scale = IntensityScale.of(noisy.image)
            *_, estimate = self._estimates(network, noisy, operator, scale)
            truth = operator.crop(sharp)
            restored = scale.restore(operator.crop(estimate))
            for what, picture in (("observed", noisy.image), ("deblurred", restored)):
                figures[f"{name} {what}_psnr_db"] = float(psnr(picture, truth).mean())
                figures[f"{name} {what}_ssim"] = float(ssim(picture, truth).mean())
        return figures

    def _estimates(
        self,
        network: Unrolled,
        noisy: NoisyImages,
        operator: FourierBlur,
        scale: IntensityScale,
    ) -> Iterator[Tensor]:
        """Estimate after each iteration on the domain, in the network's scale."""
        with torch.autocast(self._device.type, torch.bfloat16):
            image, deviation = scale.normalise(noisy.image), noisy.deviation / scale.span
            yield from network.iterate(image, operator, deviation)


def _loss(estimate: Tensor, truth: Tensor) -> Tensor:
    """Mean of log(squared error + floor) over the field: PSNR, the figure that counts."""
    error = (estimate - truth).square().mean((-2, -1))
    return (error + _ERROR_FLOOR).log().mean()
