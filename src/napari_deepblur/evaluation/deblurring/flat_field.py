"""Check that deblurring makes no structure out of noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from napari_deepblur.engine.events import Job, Progress
from napari_deepblur.evaluation.bench import Bench
from napari_deepblur.evaluation.deblurring.restoration import known_blur, restored
from napari_deepblur.evaluation.tables import Table, markdown
from napari_deepblur.training.data.synthesis import add_noise

__all__ = ["flat_field_job"]

_NOISE_LEVELS = (0.01, 0.03, 0.1)
_SIDES = (128, 256, 400)
_MOST_BLURS = 4
_SEED = 8

#: A spot stands out of the input's median by so many of the input's standard deviations.
_SPOT_DEVIATIONS = 5
_SPOT_DISTANCE = 2


def _flat(side: int) -> Tensor:
    return torch.ones(side, side)


def _sloping(side: int) -> Tensor:
    """Light that rises from 0.7 to 1.3 along the diagonal."""
    ramp = torch.linspace(-0.15, 0.15, side)
    return 1 + ramp + ramp[:, None]


_SCENES: Mapping[str, Callable[[int], Tensor]] = {"flat": _flat, "a slope, ± 30 %": _sloping}


@dataclass(frozen=True, slots=True)
class _Field:
    scene: str
    noise_level: float
    spread: float  # standard deviation after by before
    spots_before: int
    spots_after: int


def flat_field_job(bench: Bench) -> Job[Table]:
    """Noise and spots of fields without structure, before and after, true operator."""
    gamma = bench.coefficients[: min(_MOST_BLURS, bench.n_few)]
    fields: list[_Field] = []
    total = len(_SCENES) * len(_NOISE_LEVELS) * len(_SIDES) * len(gamma)
    for scene, draw in _SCENES.items():
        for level in _NOISE_LEVELS:
            for side in _SIDES:
                truth = draw(side)
                generator = Generator().manual_seed(_SEED)
                images = add_noise(
                    truth.expand(len(gamma), -1, -1),
                    torch.full((len(gamma),), level),
                    generator,
                )
                for image, row in zip(images, gamma, strict=True):
                    after = restored(bench, image, known_blur(bench, row))
                    fields.append(_compare(scene, level, image - truth, after - truth))
                    yield Progress(len(fields), total, "flat fields")
    return _table(fields)


def _compare(scene: str, level: float, before: Tensor, after: Tensor) -> _Field:
    threshold = _threshold(before.numpy())
    return _Field(
        scene=scene,
        noise_level=level,
        spread=float(after.std() / before.std()),
        spots_before=_n_spots(before.numpy(), threshold),
        spots_after=_n_spots(after.numpy(), threshold),
    )


def _threshold(before: NDArray[np.float32]) -> float:
    middle = np.median(before)
    deviation = 1.4826 * np.median(np.abs(before - middle))
    return float(middle + _SPOT_DEVIATIONS * deviation)


def _n_spots(image: NDArray[np.float32], threshold: float) -> int:
    from skimage.feature import peak_local_max

    return len(
        peak_local_max(
            image, min_distance=_SPOT_DISTANCE, threshold_abs=threshold, exclude_border=False
        )
    )


_HEAD = (
    "field", "σ", "n", "standard deviation after / before, mean", "largest", "spots before",
    "spots after", "fields with more spots",
)  # fmt: skip


def _table(fields: list[_Field]) -> Table:
    cells: list[list[str]] = []
    figures: dict[str, float] = {}
    for scene in _SCENES:
        for level in _NOISE_LEVELS:
            part = [f for f in fields if (f.scene, f.noise_level) == (scene, level)]
            spreads = [field.spread for field in part]
            more = sum(field.spots_after > field.spots_before for field in part)
            before = sum(field.spots_before for field in part)
            after = sum(field.spots_after for field in part)
            cells.append(
                [
                    scene,
                    f"{level:g}",
                    str(len(part)),
                    f"{np.mean(spreads):.3f}",
                    f"**{max(spreads):.3f}**",
                    str(before),
                    f"**{after}**",
                    f"**{more}**",
                ]
            )
            figures[f"{scene} sigma={level:g} flat field: largest_spread"] = max(spreads)
            figures[f"{scene} sigma={level:g} flat field: spots_before"] = float(before)
            figures[f"{scene} sigma={level:g} flat field: spots_after"] = float(after)
    return Table("flat field", "Fields without structure", markdown(_HEAD, cells), figures)
