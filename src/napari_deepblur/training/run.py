"""One training run, from its settings to a network in a model folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from napari_deepblur.engine.devices import memory_guard, resolve_device
from napari_deepblur.engine.events import Job
from napari_deepblur.engine.models import FamilySettings, Kind, Model, load_model, write_network
from napari_deepblur.errors import ModelError
from napari_deepblur.training.config import (
    DeblurringConfig,
    FolderSource,
    IdentificationConfig,
    TrainingConfig,
)
from napari_deepblur.training.deblurring import DeblurringTask
from napari_deepblur.training.identification import IdentificationTask, train_identification_job
from napari_deepblur.training.loop import train
from napari_deepblur.training.processes import joined, own_device

__all__ = ["CONFIGS", "train_model_job"]

#: The settings' type for each kind of network.
CONFIGS: dict[str, type[TrainingConfig]] = {
    "identification": IdentificationConfig,
    "deblurring": DeblurringConfig,
}


def train_model_job(kind: Kind, config: TrainingConfig) -> Job[Path]:
    """Train a network and put it into the model folder that the settings name.

    Checkpoints and the log lie in `training/<kind>` of that folder; a run that was
    interrupted goes on from there. Processes that torchrun started share the work.

    Parameters
    ----------
    kind
        ``identification`` or ``deblurring``.
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
        task: IdentificationTask | DeblurringTask
        if kind == "identification" and isinstance(config, IdentificationConfig):
            task = IdentificationTask(config, device)
            arguments: dict[str, float | int] = {
                "n_outputs": config.n_eigen_psfs,
                "n_coefficients": len(config.family.noll_indices),
                "n_hidden": config.n_hidden,
                "whitening_exponent": config.whitening_exponent,
            }
        elif kind == "deblurring" and isinstance(config, DeblurringConfig):
            task = DeblurringTask(config, device)
            arguments = config.model_dump(
                include={"n_iterations", "n_channels", "n_layers", "unshuffle"}
            )
        else:
            raise TypeError(f"{type(config).__name__} does not fit a {kind} network")
        if config.start_from is not None:
            _start_from(load_model(config.start_from), kind, task)
        folder = config.output / "training" / kind
        network: nn.Module
        with joined(device) as processes:
            if isinstance(task, IdentificationTask):
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
                    family=FamilySettings(
                        noll_indices=config.family.noll_indices,
                        limit_waves=config.family.limit_waves,
                    ),
                    card=facts | {"arguments": arguments},
                    space=task.space if isinstance(task, IdentificationTask) else None,
                )
    return config.output


def _start_from(model: Model, kind: Kind, task: IdentificationTask | DeblurringTask) -> None:
    try:
        task.network.load_state_dict(getattr(model, kind).state_dict())
    except RuntimeError as error:
        raise ModelError(
            f"cannot start from model {model.name!r}: its {kind} network has another shape "
            "than the settings ask for"
        ) from error
    if isinstance(task, IdentificationTask):
        task.space = model.space.to(task.space.mean.device)


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
