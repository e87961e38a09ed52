"""Train the deblurring network with proximal networks of several sizes, briefly, and compare.

    python benchmarks/proximal_choices.py configs/widefield-zernike-deblurring.yaml --write

Every choice learns from the same crops. A run that was interrupted goes on from the folder
--work. `--write` puts the table into accuracy.md of the folder --docs.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from tqdm import tqdm

from napari_deepblur.engine.network_cards import FistaSizes
from napari_deepblur.evaluation import Table, markdown, record_in_page, require_marks
from napari_deepblur.operators import ZernikeFamily
from napari_deepblur.training.config import DeblurringConfig, StageConfig, read_config
from napari_deepblur.training.deblurring import DeblurringTask
from napari_deepblur.training.loop import train

CPU = torch.device("cpu")
PLANE = 512
NOISE_LEVELS = (0.005, 0.02)
_FIGURE = " deblurred_psnr_db"
#: s of no curvature, as good as 0.
NONE = -30.0


@dataclass(frozen=True)
class Choice:
    """What is tried."""

    n_channels: int
    n_layers: int
    unshuffle: int = 2
    preconditioned: bool = True

    @property
    def name(self) -> str:
        """For the table and the folder."""
        size = f"{self.n_channels} channels, {self.n_layers} layers, {self.unshuffle} × blocks"
        return size if self.preconditioned else size + ", gradient steps"


CHOICES = (
    Choice(16, 3),
    Choice(32, 4, preconditioned=False),
    Choice(32, 4),
    Choice(48, 4),
    Choice(64, 4),
    Choice(32, 6),
    Choice(96, 4, unshuffle=4),
)


def trained(
    choice: Choice, config: DeblurringConfig, folder: Path
) -> tuple[nn.Module, DeblurringTask]:
    """Network of a choice after the whole brief run, with the task that can validate it."""
    size = FistaSizes(
        n_channels=choice.n_channels, n_layers=choice.n_layers, unshuffle=choice.unshuffle
    )
    settings = config.model_copy(update={"network": size})
    task = DeblurringTask(settings, CPU)
    if not choice.preconditioned:
        for parameter in (task.network.curvature_logits, task.network.curvature_slopes):
            parameter.requires_grad_(False)
        nn.init.constant_(task.network.curvature_logits, NONE)
    job = train(task, settings, CPU, folder / choice.name.replace(", ", "-").replace(" ", ""))
    with tqdm(desc=choice.name, disable=None) as bar:
        while True:
            try:
                event = next(job)
            except StopIteration as end:
                return end.value, task
            bar.total, bar.n = event.total, event.done
            bar.refresh()


@torch.no_grad()
def seconds(network: nn.Module) -> float:
    """Median time of three runs of the network on one plane, float32."""
    family = ZernikeFamily()
    operator = family.operator(family.admissible_set.sample(1, seed=0), (PLANE, PLANE))
    image = torch.rand(1, PLANE, PLANE, generator=torch.Generator().manual_seed(0))
    times = []
    for _ in range(4):
        start = time.perf_counter()
        network(image, operator, torch.tensor([0.02]))
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def brief(config: DeblurringConfig, n_crops: int) -> DeblurringConfig:
    """The settings' first stage, shortened, its learning rate falling to 0."""
    first = config.stages[0]
    stage = StageConfig(
        **first.model_dump(exclude={"n_crops", "final_learning_rate"}),
        n_crops=n_crops,
        final_learning_rate=0,
    )
    n_steps = n_crops // first.batch
    return config.model_copy(
        update={
            "stages": [stage],
            "start_from": None,
            "averaging": 0.98,
            "validate_every": n_steps,
            "checkpoint_every": 50,
        }
    )


def main() -> None:
    """Train, print a row for each choice, and write where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("config", type=Path)
    parser.add_argument("--crops", type=int, default=3200)
    parser.add_argument("--work", type=Path, default=Path("runs/proximal_choices"))
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    page = given.docs / "accuracy.md"
    if given.write:
        require_marks(page, ["proximal choices"])
    config = read_config(given.config, DeblurringConfig)
    assert isinstance(config, DeblurringConfig)
    rows = []
    head = ["proximal network", "parameters", f"{PLANE} × {PLANE} plane (s)"]
    for choice in CHOICES:
        network, task = trained(choice, brief(config, given.crops), given.work)
        figures = {
            f"{name.removesuffix(_FIGURE)}, σ = {level:g} (dB)": value
            for level in NOISE_LEVELS
            for name, value in task.validate(network, level).items()
            if name.endswith(_FIGURE)
        }
        n_parameters = sum(parameter.numel() for parameter in network.parameters())
        cells = [choice.name, f"{n_parameters / 1e6:.2f} M", f"{seconds(network):.2f}"]
        rows.append([*cells, *(f"{value:.2f}" for value in figures.values())])
        print(" | ".join(rows[-1]), flush=True)
    head += figures
    note = f"{given.crops} crops each; torch with {torch.get_num_threads()} threads."
    table = Table("proximal choices", "Proximal network", f"{markdown(head, rows)}\n\n{note}", {})
    print(table.text)
    if given.write:
        record_in_page(page, [table])


if __name__ == "__main__":
    main()
