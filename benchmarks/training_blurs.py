"""Whether blurs of a MaxiSumMin design, uniform blurs or both train the identification better.

    python benchmarks/training_blurs.py CONFIG.yaml --n 1536 [--write]

For each way of drawing blurs, as many images are made of the same scenes and described, and a head
is trained on them, briefly and from the same start. Figures: PSF-SNR over the field of held-out
images, whose blurs are drawn uniformly, apart from all training. `--write` puts the table into
docs/concepts.md. Takes about ten minutes for each thousand images on one core.
"""

import argparse
from pathlib import Path

import torch
from torch import Generator, Tensor

from napari_deepblur.evaluation import markdown, replace_between
from napari_deepblur.operators import spread
from napari_deepblur.training.config import IdentificationConfig, read_config
from napari_deepblur.training.data.sources import Mixture
from napari_deepblur.training.descriptions import Descriptions, describe
from napari_deepblur.training.field_identification import FieldHeadTask, FieldIdentificationTask
from napari_deepblur.training.loop import build_sources, train

PAGE = Path(__file__).parent.parent / "docs" / "concepts.md"
AT_A_TIME = 16
SEED = 5


def designs(task, n: int) -> dict[str, Tensor]:
    """Coefficients (n, P) of each way of drawing them, in random order."""
    hull = task.family.admissible_set
    uniform = hull.sample(n, seed=SEED)
    design = spread(hull, n, seed=SEED)
    order = torch.randperm(n, generator=Generator().manual_seed(SEED))
    half = n // 2
    return {
        "uniform": uniform,
        "MaxiSumMin": design[order],
        "half of either": torch.cat([uniform[:half], design[order][half:]])[order],
    }


@torch.no_grad()
def described(task, config, gamma: Tensor) -> Descriptions:
    """An image of each blur, described; scenes and noise are the same for all designs."""
    mixture = Mixture(build_sources(config, torch.device("cpu")), config.descriptions.mix)
    rows = []
    for start in range(0, len(gamma), AT_A_TIME):
        generator = Generator().manual_seed(1000 + start)
        part = gamma[start : start + AT_A_TIME]
        levels = task.microscope.draw_levels(len(part), generator)
        image, band = task.microscope.images(
            part, levels, mixture, config.descriptions.size, generator
        )
        rows.append(describe(task.network, image, band=band).bfloat16())
    tiles = torch.cat(rows)[:, None]
    return Descriptions(tiles, gamma, torch.zeros(len(gamma), dtype=torch.bool))


def figures_of(config, descriptions: Descriptions, folder: Path) -> dict[str, float]:
    """Held-out figures after the head's training."""
    device = torch.device("cpu")
    task = FieldIdentificationTask(config, device)
    task.network.resnet.load_state_dict(resnet_of(config))
    task.network.eval()
    head_task = FieldHeadTask(task, descriptions)
    settings = config.model_copy(update={"stages": config.head_stages, "sources": {}})
    events = train(head_task, settings, device, folder)
    while True:
        try:
            next(events)
        except StopIteration as stop:
            return head_task.validate(stop.value)


def resnet_of(config) -> dict[str, Tensor]:
    """Weights of the ResNet that describes."""
    from napari_deepblur.engine.models import load_model

    return load_model(config.start_from).identification.resnet.state_dict()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--n", type=int, default=1536, help="images for each way")
    parser.add_argument("--steps", type=int, default=1500, help="of the head's training")
    parser.add_argument("--folder", type=Path, default=Path("runs/training-blurs"))
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    config = read_config(given.config, IdentificationConfig)
    assert isinstance(config, IdentificationConfig)
    stage = config.head_stages[0].model_copy(update={"n_crops": given.steps * 64, "batch": 64})
    config = config.model_copy(update={"head_stages": [stage], "validate_every": 10**6})
    task = FieldIdentificationTask(config, torch.device("cpu"))
    task.network.resnet.load_state_dict(resnet_of(config))
    task.network.eval()
    rows = []
    for name, gamma in designs(task, given.n).items():
        made = described(task, config, gamma)
        figures = figures_of(config, made, given.folder / name.replace(" ", "-"))
        rows.append([name, *(f"{value:.2f}" for value in figures.values())])
        print(name, figures, flush=True)
    head = ["blurs", *(key.replace("psf_field_snr_db sigma=", "σ = ") for key in figures)]
    note = f"{given.n} images each, {given.steps} steps, settings of {given.config.name}."
    text = f"{markdown(head, rows)}\n\n{note}"
    print(text)
    if given.write:
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(replace_between(page, "training blurs", text), encoding="utf-8")


if __name__ == "__main__":
    main()
