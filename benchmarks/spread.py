"""Measure how far apart `spread` keeps its points, beside random and Sobol points.

    python benchmarks/spread.py [--write]

`--write` puts the table into concepts.md of the folder --docs, and a picture of points in two
dimensions into its images. The large case and the picture take some minutes.
"""

from __future__ import annotations

import argparse
import math
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import spatial
from scipy.stats import qmc
from torch import Generator, Tensor
from tqdm import tqdm

from napari_deepblur.evaluation import Table, markdown, record_in_page, require_marks
from napari_deepblur.operators import Box, ConvexHull, HalfBox
from napari_deepblur.operators.spread import spread_iterates

#: Coefficients and points in the unit box.
BOXES = ((7, 1000), (16, 2000), (100, 10_000))
#: Coefficients, dimensions that they fill, vertices and points.
HULL = (16, 12, 300, 1000)
N_STEPS = 300
SEED = 0

PICTURE = "spread_points.png"
PICTURE_STEPS = (0, 1000, 2000, 10_000)
N_POINTS_IN_PICTURE = 150
CORNERS_SEED = 6


@dataclass(frozen=True)
class Measured:
    """One design."""

    where: str
    n_coefficients: int
    n_points: int
    uniform: float
    sobol: float  # NaN where there is none
    spread: float
    on_border: float  # share of the points
    seconds: float  # of one core

    def row(self) -> list[str]:
        """Cells of the table."""
        has_sobol = math.isfinite(self.sobol)
        return [
            self.where,
            str(self.n_coefficients),
            f"{self.n_points:,}",
            f"{self.uniform:,.1f}",
            f"{self.sobol:,.1f}" if has_sobol else "–",
            f"{self.spread:,.1f}",
            f"{self.spread / self.uniform:.2f}",
            f"{self.spread / self.sobol:.2f}" if has_sobol else "–",
            f"{self.on_border:.0%}",
            f"{self.seconds:.1f} s",
        ]


def objective(points: Tensor) -> float:
    """Sum of the distances to the nearest other, by another way than `spread`'s."""
    distances, _ = spatial.cKDTree(points.numpy()).query(points.numpy(), k=2)
    return float(distances[:, 1].sum())


def sobol(n_coefficients: int, n_points: int) -> Tensor:
    """Scrambled Sobol points in the unit box."""
    sequence = qmc.Sobol(n_coefficients, scramble=True, seed=SEED)
    points = sequence.random_base2(math.ceil(math.log2(n_points)))[:n_points]
    return torch.from_numpy(points)


def share_on_border(admissible_set: Box | ConvexHull, points: Tensor) -> float:
    """Share of points that leave the set when all are moved apart by a thousandth."""
    centre = points.mean(0)
    return 1 - float(admissible_set.contains(centre + 1.001 * (points - centre)).float().mean())


def flat_hull(n_coefficients: int, n_dimensions: int, n_vertices: int) -> ConvexHull:
    """Hull of normally distributed points in a subspace."""
    generator = Generator().manual_seed(SEED)
    inside = torch.randn(n_vertices, n_dimensions, generator=generator)
    return ConvexHull(inside @ torch.randn(n_dimensions, n_coefficients, generator=generator))


def measure(where: str, admissible_set: Box | ConvexHull, n_points: int) -> Measured:
    """Spread points and clock it."""
    n_coefficients = admissible_set.n_coefficients
    start = time.process_time()
    best, iterates = None, spread_iterates(admissible_set, n_points, n_steps=N_STEPS, seed=SEED)
    for iterate in tqdm(iterates, f"P={n_coefficients}, L={n_points}", disable=None):
        if best is None or iterate.objective > best.objective:
            best = iterate
    seconds = time.process_time() - start
    if not bool(admissible_set.contains(best.points).all()):
        raise RuntimeError(f"points outside the {where}")
    is_box = isinstance(admissible_set, Box)
    return Measured(
        where,
        n_coefficients,
        n_points,
        uniform=objective(admissible_set.sample(n_points, seed=SEED)),
        sobol=objective(sobol(n_coefficients, n_points)) if is_box else math.nan,
        spread=objective(best.points),
        on_border=share_on_border(admissible_set, best.points),
        seconds=seconds,
    )


def measurements() -> Iterator[Measured]:
    """Measure all cases."""
    for n_coefficients, n_points in BOXES:
        box = Box([0] * n_coefficients, [1] * n_coefficients)
        yield measure("box", box, n_points)
    *sizes, n_points = HULL
    yield measure("hull", flat_hull(*sizes), n_points)


def table_of(found: list[Measured]) -> Table:
    """Text and table for the page."""
    head = ["set", "P", "L", "Σ uniform", "Σ Sobol", "Σ MaxiSumMin"]
    head += ["by uniform", "by Sobol", "on the border", "CPU time"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    gigabytes = peak / (1e9 if sys.platform == "darwin" else 1e6)
    n_coefficients, n_dimensions, n_vertices, _ = HULL
    text = (
        f"{markdown(head, [one.row() for one in found])}\n\n"
        f"Σ: of the distances to the nearest other point, after {N_STEPS} steps. Box: [0, 1]^P; "
        f"Sobol's points are scrambled; hull: of {n_vertices} points in a subspace of "
        f"{n_dimensions} of the {n_coefficients} dimensions. "
        f"One thread; the whole process took at most {gigabytes:.1f} GB of memory."
    )
    return Table("spread", "Spread of training blurs", text, {})


def draw(picture: Path) -> None:
    """Points on their way, in a half box and in a hull."""
    corners = torch.randn(12, 2, generator=Generator().manual_seed(CORNERS_SEED))
    sets = {"half box": HalfBox([0.15, 0.15], even=[0]), "convex hull": ConvexHull(corners)}
    figure = Figure(figsize=(9, 6.2), layout="constrained")
    rows = figure.subplots(len(sets), len(PICTURE_STEPS), sharex="row", sharey="row")
    for axes, (name, admissible_set) in zip(rows, sets.items(), strict=True):
        iterates = spread_iterates(
            admissible_set, N_POINTS_IN_PICTURE, n_steps=PICTURE_STEPS[-1], seed=SEED
        )
        shown = iter(axes)
        for iterate in tqdm(iterates, name, PICTURE_STEPS[-1] + 1, disable=None):
            if iterate.step in PICTURE_STEPS:
                ax = next(shown)
                panel(ax, outline(admissible_set), iterate.points)
                ax.set_title(f"t = {iterate.step:,}   Σ = {iterate.objective:.3g}", fontsize=10)
                ax.set_xlabel("γ₁")
        axes[0].set_ylabel(f"{name}\nγ₂")
    figure.savefig(picture, format="png", dpi=100)


def panel(ax: Axes, border: np.ndarray, points: Tensor) -> None:
    """One state of the points."""
    ax.fill(*border.T, facecolor="0.95", edgecolor="0.5", linewidth=1)
    ax.scatter(*points.T.numpy(), s=9, color="C0", zorder=3)
    ax.set_aspect("equal")
    ax.locator_params(nbins=4)


def outline(admissible_set: HalfBox | ConvexHull) -> np.ndarray:
    """Corners of a set in the plane, in order around it, shape (V, 2)."""
    if isinstance(admissible_set, ConvexHull):
        points = admissible_set.vertices.numpy()
        return points[spatial.ConvexHull(points).vertices]
    (left, bottom), (right, top) = admissible_set.low.tolist(), admissible_set.high.tolist()
    return np.array([(left, bottom), (right, bottom), (right, top), (left, top)])


def main() -> None:
    """Measure, print, and write and draw where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    page = given.docs / "concepts.md"
    torch.set_num_threads(1)  # CPU time is then what one free core needs
    if given.write:
        require_marks(page, ["spread"])
    table = table_of(list(measurements()))
    print(table.text)
    if given.write:
        record_in_page(page, [table])
        draw(given.docs / "images" / PICTURE)


if __name__ == "__main__":
    main()
