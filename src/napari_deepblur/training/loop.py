"""The training loop that both networks share: curriculum, averaging, checkpoint, log."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Generator, Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from napari_deepblur.engine.events import Job, Progress
from napari_deepblur.training.config import (
    FolderSource,
    StageConfig,
    TrainingConfig,
)
from napari_deepblur.training.sources import ImageFolder, Mixture, ProceduralScenes, Source

__all__ = ["Task", "build_sources", "held_out_crops", "held_out_folders", "train"]

_WARM_UP_STEPS = 100


class Task(Protocol):
    """What is being learned."""

    @property
    def network(self) -> nn.Module:
        """To be trained."""

    def loss(self, sources: Source, stage: StageConfig, generator: Generator) -> Tensor:
        """Loss of one fresh batch, a number with gradient."""

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Figures on held-out images, by name."""


def build_sources(config: TrainingConfig, device: torch.device) -> dict[str, Source]:
    """Open every source of the settings."""
    return {
        name: ImageFolder(source.folder, device=device)
        if isinstance(source, FolderSource)
        else ProceduralScenes(source.scene)
        for name, source in config.sources.items()
    }


def train(task: Task, config: TrainingConfig, device: torch.device, folder: Path) -> Job[nn.Module]:
    """Train until the curriculum's end, from the last checkpoint where there is one.

    One seed gives one result on the CPU; a resumed run equals an uninterrupted one.

    Parameters
    ----------
    task
        Network, loss and validation.
    config
        Curriculum and optimiser settings.
    device
        Where everything lives.
    folder
        For `checkpoint.pt` and `log.csv`; made where there is none.

    Returns
    -------
        The network with averaged weights.

    Yields
    ------
    Progress
        After each step.
    """
    folder.mkdir(parents=True, exist_ok=True)
    network = task.network.to(device).train()
    average = AveragedModel(
        network, multi_avg_fn=get_ema_multi_avg_fn(config.averaging), use_buffers=True
    )
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=config.weight_decay)
    generator = Generator(device).manual_seed(config.seed)
    state = {"network": network, "average": average, "optimizer": optimizer}
    checkpoint = folder / "checkpoint.pt"
    start = _restore(checkpoint, state, generator) if checkpoint.exists() else 0

    sources = build_sources(config, device)
    mixtures = [Mixture(sources, stage.mix) for stage in config.stages]
    log = _Log(folder / "log.csv")
    total = sum(_n_steps(stage) for stage in config.stages)
    for step in range(start, total):
        position, step_in_stage = _locate(config.stages, step)
        stage = config.stages[position]
        rate = _learning_rate(stage, step_in_stage) * min(1, (step + 1) / _WARM_UP_STEPS)
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = task.loss(mixtures[position], stage, generator)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), config.gradient_norm)
        optimizer.step()
        average.update_parameters(network)
        log.count(float(loss.detach()), stage.batch)

        last = step + 1 == total
        if last or (step + 1) % config.validate_every == 0:
            figures = task.validate(average.module.eval())
            log.write(step + 1, position, rate, figures)
        if last or (step + 1) % config.checkpoint_every == 0:
            _save(checkpoint, state, generator, step + 1)
        yield Progress(step + 1, total, f"stage {position + 1} of {len(config.stages)}")
    return average.module.eval()


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


def _save(path: Path, state: dict[str, Any], generator: Generator, step: int) -> None:
    values = {name: part.state_dict() for name, part in state.items()}
    values |= {"generator": generator.get_state(), "step": step}
    # Written aside first: a run that is killed while writing keeps its last checkpoint.
    partial = path.with_suffix(".partial")
    torch.save(values, partial)
    partial.replace(path)


def _restore(path: Path, state: dict[str, Any], generator: Generator) -> int:
    values = torch.load(path, map_location=generator.device, weights_only=True)
    for name, part in state.items():
        part.load_state_dict(values[name])
    generator.set_state(values["generator"].cpu())
    return int(values["step"])


class _Log:
    """A CSV file with one line per validation."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._losses: list[float] = []
        self._n_crops = 0
        self._since = time.perf_counter()

    def count(self, loss: float, n_crops: int) -> None:
        self._losses.append(loss)
        self._n_crops += n_crops

    def write(self, step: int, stage: int, rate: float, figures: dict[str, float]) -> None:
        seconds = time.perf_counter() - self._since
        row: dict[str, float] = {
            "step": step,
            "stage": stage + 1,
            "learning_rate": rate,
            "crops_per_second": round(self._n_crops / seconds, 1),
            "loss": sum(self._losses) / max(1, len(self._losses)),
            **figures,
        }
        fresh = not self._path.exists()
        with self._path.open("a", newline="") as file:
            writer = csv.DictWriter(file, row)
            if fresh:
                writer.writeheader()
            writer.writerow({k: f"{v:.5g}" for k, v in row.items()})
        self._losses, self._n_crops = [], 0
        self._since = time.perf_counter()


def held_out_folders(config: TrainingConfig, device: torch.device) -> dict[str, ImageFolder]:
    """The validation images of every folder among the sources."""
    return {
        name: ImageFolder(source.folder, held_out=True, device=device)
        for name, source in config.sources.items()
        if isinstance(source, FolderSource)
    }


def held_out_crops(
    folders: dict[str, ImageFolder], n: int, size: int
) -> Iterator[tuple[str, Tensor]]:
    """Fixed crops (n, size, size) of each folder's held-out images."""
    for name, folder in folders.items():
        yield name, torch.stack([folder.centre_crop(i % len(folder), size) for i in range(n)])
