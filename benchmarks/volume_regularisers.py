"""Compare ways to keep noise out of a deblurred stack, each with the true PSF.

    python benchmarks/volume_regularisers.py --n 2

Stops and weights are chosen by the likelihood of photons that were held out, as in `deblur`. The
figure is the correlation with the true sample, both smoothed by 90 nm.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from volume import MODES, OPTICS, ROWS, Z_STEP_UM, Case, Row, correlation, simulate

from napari_deepblur.engine.volume.photons import halves, photons_of
from napari_deepblur.engine.volume.richardson_lucy import Pace, RichardsonLucy, deviance
from napari_deepblur.engine.volume.stack_blur import StackBlur
from napari_deepblur.engine.volume.stack_optics import StackOptics
from napari_deepblur.evaluation import markdown

KINDS = ("nuclei", "points", "filaments")
PACE = Pace(n_gentle=4, background_step=0.3, shortens=False)
PATIENCE, MORE_FOR_THE_WHOLE = 3, 1.2
Z_WEIGHT = OPTICS.pixel_size_um / Z_STEP_UM


@dataclass(frozen=True)
class Way:
    """One way: λ of the back-projector, weights of total variation, and most iterations."""

    name: str
    damping: float
    weights: tuple[float, ...] = (0.0,)
    n_most: int = 60


WAYS = (
    Way("unmatched back-projector, λ = 0.2 (ours)", 0.2),
    Way("the same, λ = 0.5", 0.5, n_most=100),
    Way("adjoint (plain accelerated Richardson-Lucy)", math.inf, n_most=150),
    Way("λ = 0.2 with total variation", 0.2, weights=(0.003, 0.01, 0.03)),
)


class Smoothed(RichardsonLucy):
    """Richardson-Lucy with total variation, one step late.

    N. Dey et al., "Richardson-Lucy algorithm with total variation regularization for 3D confocal
    microscope deconvolution", Microsc. Res. Tech. 69 (2006): x ← x (1 + B …) / (1 - w div ∇x/|∇x|).
    """

    weight = 0.0

    def _back_projected(self, misfit: Tensor) -> Tensor:
        change = super()._back_projected(misfit)
        if self.weight:
            change = (change + 1) / (1 - self.weight * curvature(self.domain)) - 1
        return change


def curvature(volume: Tensor) -> Tensor:
    """Divergence of ∇x / |∇x| on a torus, in units of 1 / pixel."""
    slopes = [volume.roll(-1, dim) - volume for dim in range(3)]
    slopes[0] *= Z_WEIGHT
    length = sum(slope.square() for slope in slopes)
    length = (length + (1e-3 * volume.mean()).square()).sqrt_()
    bent = torch.zeros_like(volume)
    for dim, slope in enumerate(slopes):
        part = slope / length
        bent += (part - part.roll(1, dim)) * (Z_WEIGHT if dim == 0 else 1)
    return bent


def deblurred(way: Way, case: Case) -> np.ndarray:
    """Deblur a stack; stop, background and weight by the photons held out."""
    known = StackOptics(OPTICS, Z_STEP_UM)
    gamma = torch.zeros(len(known.noll_indices))
    gamma[: len(MODES)] = torch.from_numpy(case.gamma)
    domain = known.domain_of(case.stack.shape)
    blur = StackBlur(known.pupil(domain).transfer(gamma), case.stack.shape, domain)
    photons = photons_of(case.stack, OPTICS.cutoff)
    half, other = (torch.from_numpy(half) for half in halves(photons.values))
    best = (math.inf, 0, 0.0, 0.0)
    for weight in way.weights:
        trial = begun(way, weight, half, photons.background / 2, blur)
        lowest, n_best, background = math.inf, 0, 0.0
        for number in range(way.n_most):
            expected = trial.advance().expected
            held_out = deviance(other, expected)
            if held_out < lowest:
                lowest, n_best, background = held_out, number, trial.background
            elif number - n_best >= PATIENCE:
                break
            trial.adjust_background(other, expected)
        best = min(best, (lowest, n_best, 2 * background, weight))
    _, n_best, background, weight = best
    final = begun(way, weight, torch.from_numpy(photons.values), background, blur)
    for _ in range(max(1, round(MORE_FOR_THE_WHOLE * n_best))):
        final.advance()
    return final.estimate.numpy()


def begun(way: Way, weight: float, photons: Tensor, darkest: float, blur: StackBlur) -> Smoothed:
    """Begin to sharpen."""
    sample = Smoothed(photons, darkest, blur, PACE, damping=way.damping)
    sample.weight = weight
    return sample


def main() -> None:
    """Measure, print, and write where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n", type=int, default=2, help="stacks of each kind")
    given = parser.parse_args()
    rows = [row for row in ROWS if row.kind in KINDS and row.periodic and row.broadening_px == 0]
    found: dict[tuple[str, str], list[float]] = {}
    seconds = {way.name: 0.0 for way in WAYS}
    with torch.no_grad():
        for seed in range(given.n):
            for row in rows:
                case = simulate(row, seed, None)
                for way in WAYS:
                    start = time.process_time()
                    figure = correlation(deblurred(way, case), case.sharp)
                    seconds[way.name] += (time.process_time() - start) / (given.n * len(rows))
                    found.setdefault((way.name, row.name), []).append(figure)
                    print(f"{seed} {row.name:25} {way.name:45} {figure:.4f}", flush=True)
    print(table_of(rows, found, seconds))


def table_of(
    rows: list[Row], found: dict[tuple[str, str], list[float]], seconds: dict[str, float]
) -> str:
    """Means of each way and kind of stack."""
    means = {key: float(np.mean(figures)) for key, figures in found.items()}
    lines = [
        [
            way.name,
            *(f"{means[way.name, row.name]:.3f}" for row in rows),
            f"{seconds[way.name]:.0f}",
        ]
        for way in WAYS
    ]
    head = ["way", *(row.name for row in rows), "CPU seconds"]
    return markdown(head, lines)


if __name__ == "__main__":
    main()
