"""Coefficients spread over an admissible set, to choose the blurs of a training from.

MaxiSumMin design of V. Debarnot, T. Mangeat & P. Weiss, "Learning low-dimensional models of
microscopes", IEEE Trans. Comput. Imaging 7 (2021).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from napari_deepblur.operators.admissible_sets import AdmissibleSet

__all__ = ["SpreadIterate", "spread", "spread_iterates"]

#: Length of the first step by the mean distance of the first points to their nearest.
_FIRST_STEP = 0.2

#: Points whose distances to all others are held at once; their rows stay in the cache.
_AT_A_TIME = 256


@dataclass(frozen=True, slots=True)
class SpreadIterate:
    """Points on their way to a design.

    Attributes
    ----------
    step
        Steps taken, 0 for the random points at the beginning.
    points
        Shape (L, P), all in the set.
    objective
        Sum of each point's distance to its nearest other.
    """

    step: int
    points: Tensor
    objective: float


def spread(
    admissible_set: AdmissibleSet, n_points: int, *, n_steps: int = 300, seed: int = 0
) -> Tensor:
    """Choose points of a convex set that keep far from each other, shape (L, P).

    They are those of `spread_iterates` with the largest objective. Memory grows with L · P only,
    time with n_steps · L² · P.

    Parameters
    ----------
    admissible_set
        Set to spread the points over.
    n_points
        Number of points, L, at least 2.
    n_steps
        Number of steps of ascent; thousands reach an objective up to a tenth larger than 300.
    seed
        Seed of the first points: the same seed gives the same points.

    Raises
    ------
    ValueError
        If there are fewer than 2 points or n_steps is negative.
    """
    iterates = spread_iterates(admissible_set, n_points, n_steps=n_steps, seed=seed)
    return max(iterates, key=lambda iterate: iterate.objective).points


def spread_iterates(
    admissible_set: AdmissibleSet, n_points: int, *, n_steps: int = 300, seed: int = 0
) -> Iterator[SpreadIterate]:
    """Projected subgradient ascent on Σ_l min_{l'≠l} ‖δ_l − δ_l'‖: n_steps + 1 iterates.

    It begins with `admissible_set.sample`. Each step pushes every point straight away from its
    nearest other, and that one in the opposite direction, by a length that falls linearly to 0;
    then it projects on the set. The objective is not concave and need not grow at each step.

    Parameters
    ----------
    admissible_set, n_points, n_steps, seed
        As for `spread`.

    Yields
    ------
        Beginning with step 0.

    Raises
    ------
    ValueError
        If there are fewer than 2 points or n_steps is negative.
    """
    if n_points < 2:
        raise ValueError(f"points can only be spread from 2 on, got n_points={n_points}")
    if n_steps < 0:
        raise ValueError(f"n_steps must not be negative, got {n_steps}")
    points = admissible_set.sample(n_points, seed=seed)
    generator = torch.Generator(points.device).manual_seed(seed)
    nearest, distance = _nearest_others(points)
    first_step = _FIRST_STEP * distance.mean()
    yield SpreadIterate(0, points, float(distance.double().sum()))
    for step in range(1, n_steps + 1):
        length = first_step * (n_steps + 1 - step) / n_steps
        ascent = _subgradient(points, nearest, generator)
        points = admissible_set.project(points + length * ascent)
        nearest, distance = _nearest_others(points)
        yield SpreadIterate(step, points, float(distance.double().sum()))


def _subgradient(points: Tensor, nearest: Tensor, generator: torch.Generator) -> Tensor:
    """Compute a subgradient of the objective, shape (L, P); a random one where points coincide."""
    away = points - points[nearest]
    together = away.eq(0).all(-1)
    kick = torch.randn(
        int(together.sum()), points.shape[1], generator=generator, device=points.device
    )
    away[together] = kick.to(points)
    direction = functional.normalize(away, dim=-1, eps=torch.finfo(points.dtype).tiny)
    return direction.index_add(0, nearest, direction, alpha=-1)


def _nearest_others(points: Tensor) -> tuple[Tensor, Tensor]:
    """Index of the nearest other of each point (L,), and the distance to it (L,)."""
    centred = points - points.mean(0)  # small numbers lose less in their squares
    transposed, squares = centred.T.contiguous(), centred.square().sum(-1)
    parts = []
    for first, part in enumerate(centred.split(_AT_A_TIME)):
        # ‖a − b‖² less ‖a‖², which all others of a have in common.
        rows = torch.addmm(squares, part, transposed, alpha=-2)
        rows[:, _AT_A_TIME * first :].fill_diagonal_(math.inf)
        parts.append(_argmin(rows))
    nearest = torch.cat(parts)
    return nearest, (points - points[nearest]).norm(dim=-1)


def _argmin(rows: Tensor) -> Tensor:
    """Column of each row's least number; on a CPU NumPy is three times as fast as torch."""
    if rows.device.type == "cpu":
        return torch.from_numpy(rows.numpy().argmin(-1))
    return rows.argmin(-1)
