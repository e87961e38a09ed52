"""Deblurred images beside sharp ones, drawn.

Folders of images may not be passed on, so what is shown comes with scikit-image or is drawn:
two photographs (`camera`, CC0, and `astronaut`, public domain) and two of our own samples.
Training saw none of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from napari_deepblur.engine.events import Job, Progress
from napari_deepblur.evaluation.bench import Bench, noisy
from napari_deepblur.evaluation.deblurring.classical import classical_candidates
from napari_deepblur.evaluation.deblurring.restoration import (
    USUAL_LEVEL,
    Quality,
    estimated_blur,
    known_blur,
    quality,
    restored,
)
from napari_deepblur.samples import SAMPLES
from napari_deepblur.training.data.synthesis import observe

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Example", "draw_examples", "examples_job"]

_CROP = 128
_CROP_STEP = 16
_COLUMN_INCHES = 1.6


@dataclass(frozen=True, slots=True)
class Example:
    """A scene with all its versions (Y, X) and their quality, by the version's name."""

    name: str
    versions: dict[str, tuple[Tensor, Quality | None]]


def examples_job(bench: Bench) -> Job[tuple[Example, ...]]:
    """Blur, deblur and measure the scenes that may be shown, σ = 0.02."""
    examples = []
    scenes = _scenes()
    gammas = bench.model.family.admissible_set.sample(len(scenes), seed=3)
    for (name, scene), gamma in zip(scenes.items(), gammas, strict=True):
        examples.append(_example(bench, name, scene, gamma))
        yield Progress(len(examples), len(scenes), "examples")
    return tuple(examples)


def _scenes() -> dict[str, Tensor]:
    """Sharp scenes in [0, 1], shape (Y, X)."""
    from skimage import data
    from skimage.color import rgb2gray

    podosomes, spheroid = (SAMPLES[name]().sharp for name in ("podosomes", "spheroid"))
    scenes = {
        "camera": data.camera(),
        "astronaut": rgb2gray(data.astronaut()),
        "podosomes": podosomes,
        "spheroid": spheroid[len(spheroid) // 2],
    }
    tensors = {name: torch.from_numpy(scene.copy()).float() for name, scene in scenes.items()}
    return {name: (t - t.min()) / (t.max() - t.min()) for name, t in tensors.items()}


def _example(bench: Bench, name: str, scene: Tensor, gamma: Tensor) -> Example:
    psf = bench.psf_of(gamma[None])
    border = psf.shape[-1] // 2
    sharp = scene[border:-border, border:-border]
    image = noisy(observe(scene[None], psf), USUAL_LEVEL)[0]
    candidates = classical_candidates(image, psf[0])
    best = max(candidates.values(), key=lambda one: quality(one, sharp).psnr)
    versions = {"observed": image, "best classical,\ntrue PSF": best}
    estimate = estimated_blur(bench, image)
    if estimate is not None:
        versions["network,\nestimated PSF"] = restored(bench, image, estimate)
    versions["network,\ntrue PSF"] = restored(bench, image, known_blur(bench, gamma))
    measured: dict[str, tuple[Tensor, Quality | None]] = {
        version: (shown, quality(shown, sharp)) for version, shown in versions.items()
    }
    return Example(name, measured | {"sharp": (sharp, None)})


def draw_examples(examples: tuple[Example, ...], picture: Path) -> None:
    """Draw the liveliest 128 × 128 pixels of each scene, one row each.

    Parameters
    ----------
    examples
        Examples that `examples_job` returned.
    picture
        PNG to write, 800 pixels wide.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    from matplotlib.figure import Figure

    n_columns = len(examples[0].versions)
    size = (_COLUMN_INCHES * n_columns, (_COLUMN_INCHES + 0.3) * len(examples))
    figure = Figure(figsize=size, layout="constrained")
    rows = figure.subplots(len(examples), n_columns, squeeze=False)
    for row, example in zip(rows, examples, strict=True):
        _draw_row(row.tolist(), example)
        row[0].set_ylabel(example.name, fontsize="small")
    for ax, name in zip(rows[0], examples[0].versions, strict=True):
        ax.set_title(name, fontsize="small")
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, format="png", dpi=100)


def _draw_row(axes: list[Axes], example: Example) -> None:
    sharp = example.versions["sharp"][0]
    window = _liveliest(sharp)
    limits = torch.quantile(sharp[window].flatten(), torch.tensor([0.002, 0.998])).tolist()
    for ax, (image, figures) in zip(axes, example.versions.values(), strict=True):
        ax.imshow(image[window].numpy(), cmap="gray", vmin=limits[0], vmax=limits[1])
        ax.set(xticks=[], yticks=[])
        if figures is not None:
            ax.set_xlabel(f"{figures.psnr:.1f} dB / {figures.ssim:.2f}", fontsize="x-small")


def _liveliest(image: Tensor) -> tuple[slice, slice]:
    """Window that holds the most edges."""
    change = image.diff(dim=0)[:, 1:].abs() + image.diff(dim=1)[1:].abs()
    windows = [
        (slice(top, top + _CROP), slice(left, left + _CROP))
        for top in range(0, image.shape[0] - _CROP + 1, _CROP_STEP)
        for left in range(0, image.shape[1] - _CROP + 1, _CROP_STEP)
    ]
    return max(windows, key=lambda window: float(change[window].mean()))
