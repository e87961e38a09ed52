"""How far more training data takes the reading of light sheets at coarse pixels.

    python benchmarks/light_sheet_data.py CONFIG.yaml --counts 256 768 [--n 48]

Images are described once, as `deepblur train` does, in the folder of the settings; what lies
there is used. Then a head is trained on each number of them, and reads held-out images of
512 × 512 pixels with as many held-out blurs. Figures: PSF-SNR over the field, in dB over that of
the family's mean operator, for the halves of the blurs far from it and near it, too; median error
of the width.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Generator, Tensor

from napari_deepblur.engine.devices import multiplies_bfloat16
from napari_deepblur.engine.events import finish
from napari_deepblur.engine.metrics import psf_snr
from napari_deepblur.engine.models import load_model
from napari_deepblur.engine.psf_field import psf_width
from napari_deepblur.engine.tiles import tile_places, tile_windows
from napari_deepblur.evaluation import markdown
from napari_deepblur.training.config import IdentificationConfig, read_config
from napari_deepblur.training.data.sources import Mixture
from napari_deepblur.training.data.synthesis import add_noise
from napari_deepblur.training.descriptions import Descriptions, describe_job
from napari_deepblur.training.field_identification import (
    FieldHeadTask,
    FieldIdentificationTask,
    even_places,
    field_snr,
)
from napari_deepblur.training.loop import build_sources, held_out_folders, train
from napari_deepblur.training.processes import Processes

DEVICE = torch.device("cpu")
SIDE, LEVELS = 512, (0.0, 0.01, 0.05)
#: Successive draws are alike: one of four is used.
BLUR_SEED, NOISE_SEED, ONE_IN = 4, 2, 4
MEAN_SEED, N_MEAN = 11, 300
#: How often each description is learned from, and the fewest crops of a training.
N_TIMES, FEWEST = 30, 76800


@dataclass(frozen=True)
class Seen:
    """Held-out images of one set and noise level: features (n, T, D)."""

    images: str
    level: float
    features: Tensor


@torch.no_grad()
def held_out_images(task: FieldIdentificationTask, gamma: Tensor) -> Iterator[Seen]:
    """Describe images of each set with the blurs (n, P), in overlapping tiles as users' are."""
    windows = tile_windows((SIDE, SIDE), density=task.seen.tile_density)
    for name, folder in held_out_folders(task.config, DEVICE).items():
        rows: dict[float, list[Tensor]] = {level: [] for level in LEVELS}
        for index, one in enumerate(gamma):
            operator = task.seen.operator(one[None], (SIDE, SIDE))
            # Neighbours by name are of one source.
            number = index * len(folder) // len(gamma)
            clean = operator(folder.centre_crop(number, operator.domain_shape[0])[None])
            for level, described in rows.items():
                generator = Generator().manual_seed(NOISE_SEED)
                image = add_noise(clean, torch.full((1,), level), generator)[0]
                tiles = torch.stack([image[window] for window in windows])
                standard = task.network.standardise(tiles[None])[0]
                with torch.autocast("cpu", torch.bfloat16, enabled=multiplies_bfloat16(DEVICE)):
                    described.append(task.network.encode_each(standard))
        yield from (Seen(name, level, torch.stack(rows[level])) for level in LEVELS)


def trained_head(config: IdentificationConfig, descriptions: Descriptions, folder: Path):
    """Task whose head has learned from descriptions, without a look at held-out images."""
    n_crops = max(FEWEST, N_TIMES * len(descriptions))
    stages = [config.head_stages[0].model_copy(update={"n_crops": n_crops})]
    task = opened(config)
    learned, _ = descriptions.split()
    head_task = FieldHeadTask(task, learned)
    settings = config.model_copy(update={"stages": stages, "sources": {}})
    head = finish(train(head_task, settings, DEVICE, folder))
    task.network.head.load_state_dict(head.state_dict())
    return task.network.head.eval()


def opened(config: IdentificationConfig) -> FieldIdentificationTask:
    """Task with the ResNet that the settings name."""
    task = FieldIdentificationTask(config, DEVICE)
    task.start_from(load_model(config.start_from))
    task.network.eval()
    return task


def widths(family, gamma: Tensor) -> Tensor:
    """Widths (n, 16) of PSFs over the field, pixels."""
    psfs = family.psf_at(gamma, even_places(4)).flatten(0, 1).numpy()
    return torch.tensor([psf_width(psf) for psf in psfs]).unflatten(0, (len(gamma), -1))


@torch.no_grad()
def row(family, head, seen: Seen, gamma: Tensor, floor: Tensor) -> list[str]:
    """Cells of one number of descriptions, image set and noise level."""
    windows = tile_windows((SIDE, SIDE), density=family.tile_density)
    places = torch.from_numpy(tile_places((SIDE, SIDE), windows))
    n_independent = len(tile_windows((SIDE, SIDE)))
    answer = head(seen.features, places, n_independent_tiles=n_independent)
    estimate = family.admissible_set.project(answer.coordinates)
    gain = field_snr(family, estimate, gamma) - floor
    error = (widths(family, estimate) / widths(family, gamma) - 1).abs().median(1).values
    far = floor < floor.median()
    spread = gain.std() / len(gain) ** 0.5
    return [
        seen.images, f"{seen.level:g}", f"{gain.mean():+.1f} ± {spread:.1f}",
        f"{gain[far].mean():+.1f}", f"{gain[~far].mean():+.1f}", f"{error.median():.0%}",
    ]  # fmt: skip


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--counts", type=int, nargs="+", default=[256, 768], help="descriptions")
    parser.add_argument("--n", type=int, default=48, help="held-out blurs, 4 or more")
    given = parser.parse_args()
    config = read_config(given.config, IdentificationConfig)
    described = config.descriptions.model_copy(update={"n_blurs": max(given.counts)})
    folder = config.output / "training" / "identification"
    task = opened(config)
    mixture = Mixture(build_sources(config, DEVICE), described.mix)
    finish(
        describe_job(
            task.network, task.microscope, mixture, described, folder / "descriptions",
            seed=config.seed, processes=Processes(),
        )
    )  # fmt: skip
    family, hull = task.seen, task.family.admissible_set
    gamma = hull.sample(ONE_IN * given.n, seed=BLUR_SEED)[::ONE_IN]
    mean = hull.sample(N_MEAN, seed=MEAN_SEED).mean(0)
    places = even_places(8)
    floor = psf_snr(family.psf_at(mean[None], places), family.psf_at(gamma, places)).mean(1)
    print(f"mean operator: {floor.mean():.1f} ± {floor.std() / len(floor) ** 0.5:.1f} dB")
    seen = list(held_out_images(task, gamma))
    descriptions = Descriptions.read(folder / "descriptions", DEVICE)
    rows = []
    for count in given.counts:
        some = Descriptions(
            descriptions.description[:count],
            descriptions.coefficients[:count],
            descriptions.foreign[:count],
        )
        head = trained_head(config, some, folder / f"head-of-{count}")
        rows += [[str(count), *row(family, head, one, gamma, floor)] for one in seen]
    names = ["descriptions", "images", "σ", "gain (dB)", "far half", "near half", "width"]
    print(markdown(names, rows))


if __name__ == "__main__":
    main()
