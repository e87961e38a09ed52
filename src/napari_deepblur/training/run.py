"""One training run, from its settings to a network in a model folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from torch import nn

from napari_deepblur.engine.devices import memory_guard, resolve_device
from napari_deepblur.engine.events import Job
from napari_deepblur.engine.model_card import Kind
from napari_deepblur.engine.model_files import write_network
from napari_deepblur.engine.models import Model, available_models, load_model
from napari_deepblur.errors import ModelError
from napari_deepblur.training.config import (
    DeblurringConfig,
    FolderSource,
    IdentificationConfig,
    SourcesConfig,
    SpectralPriorConfig,
    TrainingConfig,
)
from napari_deepblur.training.deblurring import DeblurringTask
from napari_deepblur.training.field_identification import FieldIdentificationTask
from napari_deepblur.training.identification import IdentificationTask, train_identification_job
from napari_deepblur.training.loop import train
from napari_deepblur.training.processes import joined, own_device
from napari_deepblur.training.spectral_prior import train_spectral_prior_job

__all__ = ["CONFIGS", "train_job", "train_model_job"]

#: Type of the settings of all that can be learned.
CONFIGS: dict[str, type[SourcesConfig]] = {
    "identification": IdentificationConfig,
    "deblurring": DeblurringConfig,
    "spectral-prior": SpectralPriorConfig,
}


def train_job(kind: Literal[Kind, "spectral-prior"], config: SourcesConfig) -> Job[Path]:
    """Train a network, or learn a spectral prior, and put it into the settings' model folder.

    Parameters
    ----------
    kind
        ``identification``, ``deblurring`` or ``spectral-prior``.
    config
        Settings of that kind.

    Raises
    ------
    TypeError
        If the settings are those of another kind.
    """
    if kind == "spectral-prior" and isinstance(config, SpectralPriorConfig):
        return train_spectral_prior_job(config)
    if kind != "spectral-prior" and isinstance(config, TrainingConfig):
        return train_model_job(kind, config)
    raise TypeError(f"{type(config).__name__} does not fit {kind}")


def train_model_job(kind: Kind, config: TrainingConfig) -> Job[Path]:
    """Train a network and put it into the model folder that the settings name.

    A new model of a family that varies over the field also gets the deblurring network of the
    model that training began with.

    Checkpoints and the log lie in `training/<kind>` of that folder; a run that was
    interrupted goes on from there. Processes that torchrun started share the work.

    Parameters
    ----------
    kind
        Network to train: ``identification`` or ``deblurring``.
    config
        Settings of that kind.

    Returns
    -------
        The model folder.

    Raises
    ------
    TypeError
        If the settings are those of the other kind.
    ModelError
        If the folder holds a model of another family, or the one to start from does not fit.
    DeviceError
        If the device is absent or out of memory.
    """
    with memory_guard():
        device = own_device(resolve_device(config.device))
        task: IdentificationTask | FieldIdentificationTask | DeblurringTask
        if kind == "identification" and isinstance(config, IdentificationConfig):
            task = (FieldIdentificationTask if config.family.varies else IdentificationTask)(
                config, device
            )
        elif kind == "deblurring" and isinstance(config, DeblurringConfig):
            task = DeblurringTask(config, device)
        else:
            raise TypeError(f"{type(config).__name__} does not fit a {kind} network")
        if config.start_from is not None:
            _start_from(load_model(config.start_from), kind, task)
        folder = config.output / "training" / kind
        network: nn.Module
        with joined(device) as processes:
            if not isinstance(task, DeblurringTask):
                network, factor = yield from train_identification_job(
                    task, device, folder, processes
                )
                facts = _description(config) | {"std_factor": factor}
            else:
                network = yield from train(task, config, device, folder, processes=processes)
                facts = _description(config)
            if processes.is_first:
                write_network(
                    config.output,
                    kind,
                    network,
                    family=task.family,
                    card=facts | {"arguments": task.arguments} | _shared_resnet(task, config),
                )
                if isinstance(task, FieldIdentificationTask):
                    _lend_deblurring(config, task)
    return config.output


def _lend_deblurring(config: TrainingConfig, task: FieldIdentificationTask) -> None:
    """Complete a new model with the deblurring network of the one that training began with.

    It serves any operator; one that the folder has already stays.
    """
    assert config.start_from is not None
    base = load_model(config.start_from)
    if base.card.deblurring is None or load_model(config.output).card.deblurring is not None:
        return
    facts = base.card.deblurring.model_dump(exclude={"sha256", "accuracy"})
    write_network(config.output, "deblurring", base.deblurring, family=task.family, card=facts)


def _start_from(
    model: Model, kind: Kind, task: IdentificationTask | FieldIdentificationTask | DeblurringTask
) -> None:
    try:
        task.start_from(model)
    except RuntimeError as error:
        raise ModelError(
            f"cannot start from model {model.name!r}: its {kind} network has another shape "
            "than the settings ask for"
        ) from error


def _shared_resnet(task: object, config: TrainingConfig) -> dict[str, str | None]:
    """Bundled model whose ResNet is used unchanged and need not be stored again."""
    start = available_models().get(config.start_from or "")
    if not isinstance(task, FieldIdentificationTask) or start is None:
        return {}
    card = start.identification
    if card is None:
        return {}
    if card.resnet_of is not None:
        return card.model_dump(include={"resnet_of", "resnet_sha256"})
    return {"resnet_of": config.start_from, "resnet_sha256": card.sha256}


def _description(config: TrainingConfig) -> dict[str, Any]:
    described = config.descriptions if isinstance(config, IdentificationConfig) else None
    return {
        "trained_on": tuple(
            f"{name} images" if isinstance(source, FolderSource) else f"{source.scene} (drawn)"
            for name, source in config.sources.items()
        ),
        "n_training_crops": sum(stage.n_crops for stage in config.stages),
        "n_described_images": described.n_blurs * described.images_per_blur if described else 0,
        "cutoff_range": config.family.cutoff,
        "highest_noise": config.highest_noise,
    }
