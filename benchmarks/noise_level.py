"""Measure the noise level that is read off held-out images whose noise is known.

    python benchmarks/noise_level.py \
        --images natural=data/natural --images fluorescence=data/fluorescence --write

`--write` puts the table into accuracy.md of the folder --docs.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from itertools import product
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from napari_deepblur.engine.noise import noise_deviation
from napari_deepblur.evaluation import (
    Table,
    held_out,
    markdown,
    record_in_page,
    require_marks,
)
from napari_deepblur.evaluation.bench import noisy
from napari_deepblur.operators import ZernikeFamily
from napari_deepblur.training.data.sources import ImageFolder
from napari_deepblur.training.data.synthesis import observe

CUTOFFS = (0.15, 0.2, 0.25, 0.3, 0.35)
NOISE_LEVELS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
SIZES = (256, 512)
SEED = 1
#: Images that are blurred at once.
AT_A_TIME = 10

#: Estimates by the maximum of each noiseless image, for each σ.
Readings = Mapping[float, NDArray[np.float64]]


@torch.no_grad()
def blurred(folder: ImageFolder, cutoff: float, size: int, n_images: int) -> Tensor:
    """Noiseless images (n, size, size) of scenes taken evenly from a folder, each with its blur."""
    family = ZernikeFamily(cutoff=cutoff)
    psf = family.psf(family.admissible_set.sample(n_images, seed=SEED))
    step = max(1, len(folder) // n_images)
    side = size + psf.shape[-1] - 1
    parts = []
    for first, part in enumerate(psf.split(AT_A_TIME)):
        numbers = range(AT_A_TIME * first, AT_A_TIME * first + len(part))
        crops = [folder.centre_crop(step * number % len(folder), side) for number in numbers]
        parts.append(observe(torch.stack(crops), part))
    return torch.cat(parts)


def read(clean: Tensor, cutoff: float) -> Readings:
    """Noise levels of images without and with noise."""
    peak = clean.amax((-2, -1)).numpy()
    readings = {}
    for level in (0.0, *NOISE_LEVELS):
        images = noisy(clean, level).numpy()
        readings[level] = np.array([noise_deviation(image, cutoff) for image in images]) / peak
    return readings


def table_of(readings: Mapping[tuple[str, float], list[Readings]], n_images: int) -> Table:
    """Text and table for the page on accuracy; images of all sizes count alike."""
    head = ["images", "f_c", *(f"σ = {level:g}" for level in NOISE_LEVELS), "read at σ = 0"]
    rows, figures = [], {}
    for (name, cutoff), parts in readings.items():
        row = [name, f"{cutoff:g}"]
        for level in NOISE_LEVELS:
            found = np.concatenate([part[level] for part in parts])
            middle, high = np.quantile(np.abs(found / level - 1), (0.5, 0.9))
            row.append(f"**{middle:.1%}** / {high:.1%}")
            figures[f"{name} cutoff={cutoff:g} sigma={level:g} noise_error"] = float(middle)
        noiseless = np.concatenate([part[0.0] for part in parts])
        rows.append([*row, f"{np.median(noiseless):.5f}"])
    sizes = " and ".join(f"{size} × {size}" for size in SIZES)
    text = (
        f"{markdown(head, rows)}\n\n"
        f"Relative error, median / 90 %, of {n_images} images of each size, {sizes} pixels."
    )
    return Table("noise level", "Noise level", text, figures)


def main() -> None:
    """Measure, print, and write where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", action="append", required=True, metavar="NAME=FOLDER")
    parser.add_argument("--n", type=int, default=60, help="images of each size for each figure")
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    page = given.docs / "accuracy.md"
    if given.write:
        require_marks(page, ["noise level"])
    folders = {name: Path(folder) for name, folder in (one.split("=", 1) for one in given.images)}
    readings: dict[tuple[str, float], list[Readings]] = {}
    conditions = list(product(held_out(folders).items(), CUTOFFS, SIZES))
    for (name, folder), cutoff, size in tqdm(conditions, "reading noise", disable=None):
        clean = blurred(folder, cutoff, size, given.n)
        readings.setdefault((name, cutoff), []).append(read(clean, cutoff))
    table = table_of(readings, given.n)
    print(table.text)
    if given.write:
        record_in_page(page, [table])


if __name__ == "__main__":
    main()
