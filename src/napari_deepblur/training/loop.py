"""The training loop that both networks share: curriculum, averaging, checkpoint, log."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from napari_deepblur.engine.events import Job, Progress
from napari_deepblur.training.config import (
    FolderSource,
    SourcesConfig,
    StageConfig,
    TrainingConfig,
)
from napari_deepblur.training.curves import TrainingLog
from napari_deepblur.training.data.sources import ImageFolder, Mixture, ProceduralScenes, Source
from napari_deepblur.training.processes import Processes

__all__ = [
    "Task",
    "Validated",
    "build_sources",
    "held_out_crops",
    "held_out_folders",
    "train",
]

_WARM_UP_STEPS = 100


class Task(Protocol):
    """Network, loss and validation of one training."""

    @property
    def network(self) -> nn.Module:
        """Network to be trained."""

    def loss(self, sources: Source, stage: StageConfig, generator: Generator) -> Tensor:
        """Compute the loss of one fresh batch, a number with gradient."""

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Measure figures on held-out images, by name."""


@dataclass(frozen=True, slots=True)
class Validated(Progress):
    """Progress after a step in which the network was validated.

    Attributes
    ----------
    loss
        Mean since the last validation.
    crops_per_second
        Since the last validation.
    figures
        On held-out images, by name.
    n_crops
        Learned from since this run began or went on.
    seconds
        Since then, validation included.
    """

    loss: float
    crops_per_second: float
    figures: dict[str, float]
    n_crops: int
    seconds: float


def build_sources(config: SourcesConfig, device: torch.device) -> dict[str, Source]:
    """Open every source of the settings."""
    return {
        name: ImageFolder(source.folder, device=device)
        if isinstance(source, FolderSource)
        else ProceduralScenes(source.scene)
        for name, source in config.sources.items()
    }


def train(
    task: Task,
    config: TrainingConfig,
    device: torch.device,
    folder: Path,
    *,
    processes: Processes | None = None,
    n_parts: int | None = None,
) -> Job[nn.Module]:
    """Train until the curriculum's end, from the last checkpoint where there is one.

    One seed gives one result on the CPU, with one process or several for the same number of
    parts; a resumed run equals an uninterrupted one.

    Parameters
    ----------
    task
        Network, loss and validation.
    config
        Curriculum and optimiser settings.
    device
        Where everything of this process lives.
    folder
        For `checkpoint.pt`, `log.csv` and `curves.png`; made where there is none. All
        processes must see the same one.
    processes
        Those that share each batch; by default this one is alone.
    n_parts
        Equal parts in which a batch is drawn and learned from; by default one per process.

    Returns
    -------
        The network with averaged weights.

    Yields
    ------
    Progress
        After each step; the first process yields a `Validated` where it has validated.

    Raises
    ------
    ValueError
        If a batch cannot be shared equally.
    """
    processes = processes or Processes()
    n_parts = n_parts or processes.n
    _check_shares(config.stages, n_parts, processes.n)
    folder.mkdir(parents=True, exist_ok=True)
    network = task.network.to(device).train()
    average = AveragedModel(network, multi_avg_fn=_averaging(config.averaging), use_buffers=True)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=config.weight_decay)
    state = {"network": network, "average": average, "optimizer": optimizer}
    checkpoint = folder / "checkpoint.pt"
    start = _restore(checkpoint, state, device) if checkpoint.exists() else 0

    sources = build_sources(config, device)
    mixtures = [Mixture(sources, stage.mix) for stage in config.stages]
    batches = _Batches(task, processes, n_parts, Generator(device), config.seed)
    log = TrainingLog(folder, start)
    total = sum(_n_steps(stage) for stage in config.stages)
    for step in range(start, total):
        position, step_in_stage = _locate(config.stages, step)
        stage = config.stages[position]
        rate = _learning_rate(stage, step_in_stage) * min(1, (step + 1) / _WARM_UP_STEPS)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad(set_to_none=True)
        loss = batches.backward(mixtures[position], stage, step)
        nn.utils.clip_grad_norm_(network.parameters(), config.gradient_norm)
        optimizer.step()
        average.update_parameters(network)
        log.count(loss, stage.batch)

        event = Progress(step + 1, total, f"stage {position + 1} of {len(config.stages)}")
        last = step + 1 == total
        if processes.is_first and (last or (step + 1) % config.validate_every == 0):
            means = log.means()
            figures = task.validate(average.module.eval())
            place = _place(config.stages, step + 1, position)
            log.write(place | {"learning_rate": rate} | means | figures)
            event = Validated(
                event.done, total, event.stage, **means, figures=figures,
                n_crops=log.n_crops, seconds=log.seconds,
            )  # fmt: skip
        if processes.is_first and (last or (step + 1) % config.checkpoint_every == 0):
            _save(checkpoint, state, step + 1)
        yield event
    return average.module.eval()


class _Batches:
    """Loss and gradient of batches that are learned from in equal parts.

    What a part contains, and which features its dropout leaves out, depends on the seed, the
    step and its number only, so that it does not matter which process draws it, nor whether the
    run was interrupted before.
    """

    def __init__(
        self, task: Task, processes: Processes, n_parts: int, generator: Generator, seed: int
    ) -> None:
        self._task = task
        self._processes = processes
        self._n_parts = n_parts
        self._generator = generator
        self._seed = seed
        self._parameters = [p for p in task.network.parameters() if p.requires_grad]
        # Batch normalisation sees one part at a time, be it here or in another process
        # (torch's synchronised one works on CUDA only). Its running statistics become the
        # mean over the parts, each of which begins from those before the step.
        self._statistics = _running_statistics(task.network) if n_parts > 1 else []

    def backward(self, sources: Source, stage: StageConfig, step: int) -> float:
        """Add the gradient of a step's whole batch to the parameters; return its loss."""
        stage = stage.model_copy(update={"batch": stage.batch // self._n_parts})
        before = [values.clone() for values in self._statistics]
        sums = [torch.zeros_like(values) for values in before]
        total = torch.zeros((), device=self._generator.device)
        for part in self._processes.share(self._n_parts):
            _copy(before, self._statistics)
            seed = _seed(self._seed, step, part)
            self._generator.manual_seed(seed)
            # Dropout takes no generator: it draws from torch's own.
            torch.manual_seed(seed)
            loss = self._task.loss(sources, stage, self._generator) / self._n_parts
            loss.backward()
            total += loss.detach()
            for share, values in zip(sums, self._statistics, strict=True):
                share.add_(values, alpha=1 / self._n_parts)
        self._add_up([total, *sums])
        _copy(sums, self._statistics)
        return float(total)

    def _add_up(self, others: list[Tensor]) -> None:
        if self._processes.n == 1:
            return
        # A parameter that this share did not use may have a gradient elsewhere.
        for parameter in self._parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        self._processes.add_up([*gradients, *others])


def _running_statistics(network: nn.Module) -> list[Tensor]:
    names = ("running_mean", "running_var")
    found = (getattr(module, name, None) for module in network.modules() for name in names)
    return [values for values in found if isinstance(values, Tensor)]


def _copy(values: list[Tensor], targets: list[Tensor]) -> None:
    for value, target in zip(values, targets, strict=True):
        target.copy_(value)


def _seed(*numbers: int) -> int:
    """One well mixed seed made of several numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])


def _averaging(decay: float) -> Callable[[Any, Any, Tensor | int], None]:
    """Exponential averaging whose memory grows with the run, or its random start would stay."""

    def update(averaged: Any, current: Any, n_averaged: Tensor | int) -> None:
        n = int(n_averaged)
        get_ema_multi_avg_fn(min(decay, (1 + n) / (10 + n)))(averaged, current, n_averaged)

    return update


def _check_shares(stages: list[StageConfig], n_parts: int, n_processes: int) -> None:
    if n_parts % n_processes:
        raise ValueError(f"{n_processes} processes cannot share {n_parts} parts equally")
    for number, stage in enumerate(stages, 1):
        if stage.batch % n_parts:
            raise ValueError(
                f"stage {number} has batches of {stage.batch} crops, which {n_parts} processes "
                f"cannot share equally: make `batch` a multiple of {n_parts}"
            )


def _place(stages: list[StageConfig], step: int, position: int) -> dict[str, float]:
    """Position in the curriculum after so many steps, in the log's columns."""
    before = sum(_n_steps(stage) * stage.batch for stage in stages[:position])
    steps_before = sum(_n_steps(stage) for stage in stages[:position])
    in_stage = (step - steps_before) * stages[position].batch
    return {
        "step": step,
        "stage": position + 1,
        "crops": before + in_stage,
        "crops_in_stage": in_stage,
    }


def _n_steps(stage: StageConfig) -> int:
    return math.ceil(stage.n_crops / stage.batch)


def _locate(stages: list[StageConfig], step: int) -> tuple[int, int]:
    for position, stage in enumerate(stages):
        if step < _n_steps(stage):
            return position, step
        step -= _n_steps(stage)
    raise IndexError("step lies beyond the curriculum")


def _learning_rate(stage: StageConfig, step: int) -> float:
    fall = 0.5 + 0.5 * math.cos(math.pi * step / _n_steps(stage))
    low, high = stage.final_learning_rate, stage.learning_rate
    return low + (high - low) * fall


def _save(path: Path, state: dict[str, Any], step: int) -> None:
    values = {name: part.state_dict() for name, part in state.items()} | {"step": step}
    # Written aside first: a run that is killed while writing keeps its last checkpoint.
    partial = path.with_suffix(".partial")
    torch.save(values, partial)
    partial.replace(path)


def _restore(path: Path, state: dict[str, Any], device: torch.device) -> int:
    values = torch.load(path, map_location=device, weights_only=True)
    for name, part in state.items():
        part.load_state_dict(values[name])
    return int(values["step"])


def held_out_folders(config: TrainingConfig, device: torch.device) -> dict[str, ImageFolder]:
    """Open the validation images of every folder among the sources."""
    return {
        name: ImageFolder(source.folder, held_out=True, device=device)
        for name, source in config.sources.items()
        if isinstance(source, FolderSource)
    }


def held_out_crops(
    folders: dict[str, ImageFolder], n: int, size: int
) -> Iterator[tuple[str, Tensor]]:
    """Cut fixed crops (n, size, size) of each folder's held-out images."""
    for name, folder in folders.items():
        yield name, torch.stack([folder.centre_crop(i % len(folder), size) for i in range(n)])
