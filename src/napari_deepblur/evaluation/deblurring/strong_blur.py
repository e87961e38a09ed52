"""Deblurring of strongly blurred, noisy images: SSIM about 0.42 before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from napari_deepblur.engine.events import Job, Progress
from napari_deepblur.evaluation.bench import Bench
from napari_deepblur.evaluation.deblurring.against_classical import best_of
from napari_deepblur.evaluation.deblurring.classical import classical_candidates
from napari_deepblur.evaluation.deblurring.restoration import (
    Observation,
    estimated_blur,
    known_blur,
    observations,
    quality,
    restored,
)
from napari_deepblur.evaluation.tables import Table, markdown

__all__ = ["strong_blur_job"]

_SSIM, _TOLERANCE = 0.42, 0.03
_NOISE_LEVEL = 0.03
#: Where the usual one gives too few cases, the nearest first.
_FURTHER_LEVELS = (0.04, 0.02, 0.05)
_N_WANTED = 20
_N_FURTHER_DRAWS = 3
_BLUR_SEED = 7


@dataclass(frozen=True, slots=True)
class _Case:
    images: str
    noise_level: float
    observed: float
    classical: float
    estimated: float | None
    true: float


def strong_blur_job(bench: Bench) -> Job[Table]:
    """SSIM of the cases whose observation has SSIM 0.42 ± 0.03, σ about 0.03."""
    cases = []
    for name in bench.images:
        wanted = min(_N_WANTED, bench.n_images)
        chosen = yield from _choose_job(bench, name, wanted)
        for index, observation in enumerate(chosen):
            cases.append(_measure(bench, observation))
            yield Progress(index + 1, len(chosen), f"{name}, strong blur")
    return _table(cases, list(bench.images))


def _choose_job(bench: Bench, name: str, wanted: int) -> Job[list[Observation]]:
    """Cases in the order in which draws give them, at most `wanted`."""
    chosen: list[Observation] = []
    draws = list(_draws(bench))
    for index, (level, gamma, first) in enumerate(draws):
        if len(chosen) < wanted:
            chosen += [
                observation
                for observation in observations(bench, name, level, gamma, first=first)
                if abs(quality(observation.image, observation.sharp).ssim - _SSIM) <= _TOLERANCE
            ]
        yield Progress(index + 1, len(draws), f"{name}, looking for strong blur")
    return chosen[:wanted]


def _draws(bench: Bench) -> Iterator[tuple[float, Tensor | None, int]]:
    """Noise level, blurs and first image: the bench's own, further blurs, further levels."""
    yield _NOISE_LEVEL, None, 0
    for draw in range(1, 1 + _N_FURTHER_DRAWS):
        seed = _BLUR_SEED + draw
        gamma = bench.model.family.admissible_set.sample(bench.n_images, seed=seed)
        # Shifted by a number prime to most counts of images, so that pairs are new.
        yield _NOISE_LEVEL, gamma, 7 * draw
    for level in _FURTHER_LEVELS:
        yield level, None, 0


def _measure(bench: Bench, observation: Observation) -> _Case:
    image, sharp = observation.image, observation.sharp
    estimate = estimated_blur(bench, image)
    true = restored(bench, image, known_blur(bench, observation.gamma))
    return _Case(
        images=observation.images,
        noise_level=observation.noise_level,
        observed=quality(image, sharp).ssim,
        classical=best_of(classical_candidates(image, observation.psf), sharp).ssim,
        estimated=quality(restored(bench, image, estimate), sharp).ssim if estimate else None,
        true=quality(true, sharp).ssim,
    )


_HEAD = (
    "images", "n", "σ", "observed SSIM", "best classical, true PSF", "network, estimated PSF",
    "network, true PSF", "estimated − true",
)  # fmt: skip


def _table(cases: Sequence[_Case], names: Sequence[str]) -> Table:
    groups = {name: [case for case in cases if case.images == name] for name in names}
    if len(groups) > 1:
        groups["all"] = list(cases)
    cells: list[list[str]] = []
    figures: dict[str, float] = {}
    for name, part in groups.items():
        figures[f"{name} strong blur: n"] = float(len(part))
        if not part:
            cells.append([name, "0", *["–"] * (len(_HEAD) - 2)])
            continue
        means = {
            "ssim_observed": np.mean([case.observed for case in part]),
            "ssim_classical": np.mean([case.classical for case in part]),
            "ssim_true": np.mean([case.true for case in part]),
        }
        read = [case.estimated for case in part if case.estimated is not None]
        if read:
            means["ssim_estimated"] = np.mean(read)
            means["ssim_difference"] = means["ssim_estimated"] - means["ssim_true"]
        figures |= {f"{name} strong blur: {key}": float(mean) for key, mean in means.items()}
        levels = sorted({case.noise_level for case in part})
        cells.append(
            [
                name,
                str(len(part)),
                " … ".join(f"{level:g}" for level in dict.fromkeys((levels[0], levels[-1]))),
                f"{means['ssim_observed']:.3f}",
                f"{means['ssim_classical']:.3f}",
                f"**{means['ssim_estimated']:.3f}**" if read else "–",
                f"{means['ssim_true']:.3f}",
                f"**{means['ssim_difference']:+.3f}**" if read else "–",
            ]
        )
    return Table("strong blur", "Strong blur", markdown(_HEAD, cells), figures)
