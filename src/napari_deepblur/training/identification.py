"""Training of the identification network.

It answers coordinates in the family's eigen-PSF space, where γ and its twin are one point.
First the ResNet learns to answer alone, from single crops; then the head learns from
descriptions of larger images, into which the ResNet's features go.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from napari_deepblur.engine.events import Job
from napari_deepblur.engine.metrics import psf_snr
from napari_deepblur.engine.models import Model
from napari_deepblur.networks.encoder import TileEncoder
from napari_deepblur.networks.identification import IdentificationNetwork
from napari_deepblur.operators import EigenPsfSpace, ZernikeFamily
from napari_deepblur.training.config import IdentificationConfig, StageConfig
from napari_deepblur.training.data.microscope import Microscope
from napari_deepblur.training.data.sources import Mixture, Source
from napari_deepblur.training.data.synthesis import add_noise, observe
from napari_deepblur.training.descriptions import Descriptions, describe, describe_job
from napari_deepblur.training.field_identification import FieldIdentificationTask
from napari_deepblur.training.loop import build_sources, held_out_crops, held_out_folders, train
from napari_deepblur.training.losses import LOSSES, BlurLoss
from napari_deepblur.training.processes import Processes
from napari_deepblur.training.trust import learn_errors_job

__all__ = ["HeadTask", "IdentificationTask", "train_identification_job"]

_N_VALIDATION = 48
_VALIDATION_SIZE = 256
_VALIDATION_LEVELS = (0.0, 0.05)

#: Weight of telling foreign blurs beside that of the family's.
_FOREIGN_WEIGHT = 0.1

#: Descriptions that show what is usual.
_N_USUAL = 4096


class IdentificationTask:
    """The ResNet's own answer to single crops: network, loss and validation.

    Parameters
    ----------
    config
        Family, conditions, noise and network settings.
    device
        Where images are made.
    """

    def __init__(self, config: IdentificationConfig, device: torch.device) -> None:
        self.config = config
        torch.manual_seed(config.seed)
        family = config.family.read().to(device)
        assert isinstance(family, ZernikeFamily)
        #: At the cutoff to which all images are resampled.
        self.family = family
        self.microscope = Microscope(
            family, config.family.cutoff, config.conditions, config.highest_noise, device
        )
        self.network = IdentificationNetwork(
            EigenPsfSpace.of(family, n_eigen_psfs=config.n_eigen_psfs),
            whitening_exponent=config.whitening_exponent,
            n_hidden=config.n_hidden,
        ).to(device)
        self.arguments: dict[str, float | int] = {
            "n_outputs": config.n_eigen_psfs,
            "n_coefficients": family.n_coefficients,
            "n_hidden": config.n_hidden,
            "whitening_exponent": config.whitening_exponent,
        }
        self._device = device
        self._folders = held_out_folders(config, device)

    @property
    def space(self) -> EigenPsfSpace:
        """The space in which the network answers."""
        return self.network.space

    def start_from(self, model: Model) -> None:
        """Take a model's weights, and the space in which it answers."""
        self.network.load_state_dict(model.identification.state_dict())

    def head_task(self, descriptions: Descriptions) -> HeadTask:
        """Task that trains the head."""
        return HeadTask(self, descriptions)

    def learn_errors_job(self, descriptions: Descriptions) -> Job[float]:
        """Teach the trained head its errors: see `trust.learn_errors_job`."""
        n_examples = self.config.n_error_examples
        return learn_errors_job(self.network.head, self.space, descriptions, n_examples=n_examples)

    def loss(self, sources: Source, stage: StageConfig, generator: Generator) -> Tensor:
        """Compute the mean of log(relative error + floor): dB, the figure that counts."""
        family = self.space.family
        gamma = family.admissible_set.sample(stage.batch, generator=generator)
        levels = self.microscope.draw_levels(stage.batch, generator)
        image, _ = self.microscope.images(gamma, levels, sources, stage.crop, generator)
        with torch.autocast(self._device.type, torch.bfloat16):
            answer = self.network.predict_by_resnet(image)
        blur_loss = self.blur_loss()
        return blur_loss(answer, blur_loss.prepare(gamma)).mean()

    def blur_loss(self) -> BlurLoss:
        """Loss that the settings name."""
        return LOSSES[self.config.loss](self.space, self.config.error_floor)

    @torch.no_grad()
    def validate(self, network: nn.Module) -> dict[str, float]:
        """Measure PSF-SNR in dB on each folder's held-out images, noiseless and noisy."""
        assert isinstance(network, IdentificationNetwork)  # a `Task` may be given any
        figures: dict[str, float] = {}
        for name, image, psf in self.held_out_images():
            with torch.autocast(self._device.type, torch.bfloat16):
                answer = torch.cat([network.predict_by_resnet(part) for part in image.split(8)])
            figures[name] = float(psf_snr(self.space.decode(answer), psf).mean())
        return figures

    def held_out_images(self) -> Iterator[tuple[str, Tensor, Tensor]]:
        """Figure's name, images (n, Y, X) and PSFs (n, h, w) of each validation."""
        family = self.space.family
        psf = family.psf(family.admissible_set.sample(_N_VALIDATION, seed=1))
        size = _VALIDATION_SIZE + psf.shape[-1] - 1
        for name, sharp in held_out_crops(self._folders, _N_VALIDATION, size):
            clean = observe(sharp, psf)
            for level in _VALIDATION_LEVELS:
                generator = Generator(self._device).manual_seed(2)
                levels = torch.full((_N_VALIDATION,), level, device=self._device)
                image = add_noise(clean, levels, generator)
                yield f"{name} psf_snr_db sigma={level:g}", image, psf


class HeadTask:
    """The head's answer to descriptions: network, loss and validation.

    Parameters
    ----------
    task
        Whose network's head is to be trained; the ResNet stays as it is.
    descriptions
        Features to learn from.
    """

    def __init__(self, task: IdentificationTask, descriptions: Descriptions) -> None:
        self.network = task.network.head
        self._space = task.space
        self._descriptions = descriptions
        self._blur_loss = task.blur_loss()
        self._truth = self._blur_loss.prepare(descriptions.coefficients)
        if not bool(self.network.typical.any()):  # a head trained before has settled already
            self.network.learn_typical(descriptions.description[:_N_USUAL].flatten(0, 2))
        with torch.no_grad():
            self._held_out = [
                (name, describe(task.network, image).mean(1), psf)
                for name, image, psf in task.held_out_images()
            ]

    def loss(self, sources: Source, stage: StageConfig, generator: Generator) -> Tensor:  # noqa: ARG002 - descriptions come from no source
        """Loss of the ResNet for the family's blurs, plus the cross entropy of telling others."""
        picks, description = self._descriptions.draw(stage.batch, generator)
        prediction = self.network(description.mean(1))
        foreign = self._descriptions.foreign[picks].float()
        truth = tuple(values[picks] for values in self._truth)
        losses = self._blur_loss(prediction.coordinates, truth)
        of_family = (losses * (1 - foreign)).sum() / (1 - foreign).sum().clamp_min(1)
        telling = functional.binary_cross_entropy_with_logits(
            prediction.out_of_distribution, foreign
        )
        return of_family + _FOREIGN_WEIGHT * telling

    @torch.no_grad()
    def validate(self, network: nn.Module) -> dict[str, float]:
        """Measure PSF-SNR in dB on each folder's held-out images, noiseless and noisy."""
        return {
            name: float(psf_snr(self._space.decode(network(described).coordinates), psf).mean())
            for name, described, psf in self._held_out
        }


def train_identification_job(
    task: IdentificationTask | FieldIdentificationTask,
    device: torch.device,
    folder: Path,
    processes: Processes,
) -> Job[tuple[TileEncoder, float | None]]:
    """Train the ResNet, describe images with it, train the head, learn its errors.

    Parts that the settings do not ask for are left out.

    Parameters
    ----------
    task
        With the network to begin with and all settings.
    device
        Where everything of this process lives.
    folder
        For checkpoints, logs and descriptions; training goes on from what lies there.
    processes
        Those that share the work.

    Returns
    -------
        The network, in eval mode, and the factor of `learn_errors_job` where the
        head was trained.

    Yields
    ------
    Progress
        After each step.
    """
    config = task.config
    if isinstance(task, IdentificationTask) and config.stages:
        trained = yield from train(task, config, device, folder / "resnet", processes=processes)
        task.network.load_state_dict(trained.state_dict())
    task.network.eval()
    if config.descriptions is None:
        return task.network, None
    mixture = Mixture(build_sources(config, device), config.descriptions.mix)
    described = folder / "descriptions"
    yield from describe_job(
        task.network, task.microscope, mixture, config.descriptions, described,
        seed=config.seed, processes=processes,
    )  # fmt: skip
    processes.wait()
    learned, kept = Descriptions.read(described, device).split()
    head_config = config.model_copy(update={"stages": config.head_stages, "sources": {}})
    head = yield from train(
        task.head_task(learned), head_config, device, folder / "head", processes=processes
    )
    task.network.head.load_state_dict(head.state_dict())
    task.network.head.eval()
    std_factor = yield from task.learn_errors_job(kept)
    return task.network, std_factor
