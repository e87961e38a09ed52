"""Widefield view of a cell's underside with podosomes: actin cores, rings and cables."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.optics.settings import Optics
from napari_deepblur.samples.drawing import (
    disc_points,
    grains,
    inside_outline,
    outline,
    splat,
    wavy_line,
)
from napari_deepblur.samples.sample import Sample, operators_of, photograph

__all__ = ["podosomes"]

_SHAPE = (512, 512)
_SEED = 2024
_CELL_RADIUS = 0.4
_PEAK_PHOTONS = 4000.0

Floats = NDArray[np.float64]


def podosomes() -> Sample:
    """Draw a 512 × 512 widefield image, 46 µm wide, blurred by an aberrated objective."""
    optics = Optics(
        numerical_aperture=1.4, wavelength_um=0.52, pixel_size_um=0.09, refractive_index=1.518
    )
    coefficients = np.array([[0.09, -0.06, 0.07, 0.1, -0.05, 0.08, -0.04]], np.float32)
    rng = np.random.default_rng(_SEED)
    (operator,) = operators_of(optics, coefficients, _SHAPE)
    scene = _draw(operator.domain_shape, optics.pixel_size_um, rng)
    image, sharp = photograph(operator, scene, rng)
    return Sample("podosomes", image, "YX", optics, coefficients, sharp, None)


def _draw(shape: tuple[int, ...], pixel_um: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Photons per pixel."""
    canvas = np.zeros(shape)
    centre = np.array(shape) / 2
    radius = _CELL_RADIUS * shape[0]
    ripples = np.stack([rng.normal(0, [0.06, 0.04, 0.02]), rng.uniform(0, 6.3, 3)], -1)
    _draw_cell(canvas, centre, radius, ripples, rng)
    sites = _sites(centre, radius, 1.3 / pixel_um, rng)
    _draw_cables(canvas, sites, 3.5 / pixel_um, rng)
    for site in sites:
        _draw_podosome(canvas, site, pixel_um, rng)
    scale = _PEAK_PHOTONS / np.percentile(canvas, 99.8)
    background = 60.0
    return np.asarray(background + scale * canvas, np.float32)


def _draw_cell(
    canvas: Floats, centre: Floats, radius: float, ripples: Floats, rng: np.random.Generator
) -> None:
    """Dim cytoplasm with vesicles, an edge, and faint filaments."""
    inside = inside_outline(canvas.shape, centre, radius, ripples)
    canvas += 0.03 * inside * (1 + 0.4 * grains(canvas.shape, 0.8, rng)).clip(0)
    angle = np.linspace(0, 2 * np.pi, 6000)
    edge = outline(angle, radius, ripples)[:, None] * np.stack([np.sin(angle), np.cos(angle)], -1)
    splat(canvas, centre + edge, 0.07 * (1 + 0.5 * np.sin(7 * angle)))
    vesicles = disc_points(centre, 0.9 * radius, 500, rng)
    splat(canvas, vesicles, rng.exponential(0.6, len(vesicles)))
    for start in disc_points(centre, 0.8 * radius, 70, rng):
        path = wavy_line(start, rng.uniform(0, 2 * np.pi), 90, 0.04, rng)
        rows = np.clip(path.round().astype(int), 0, np.array(canvas.shape) - 1)
        splat(canvas, path, rng.uniform(0.08, 0.25) * inside[rows[:, 0], rows[:, 1]])


def _sites(centre: Floats, radius: float, spacing: float, rng: np.random.Generator) -> Floats:
    """Places of podosomes: clusters and a belt, no two closer than a spacing."""
    hubs = disc_points(centre, 0.55 * radius, 5, rng)
    clusters = [disc_points(hub, 0.28 * radius, 60, rng) for hub in hubs]
    angle = rng.uniform(-0.3, 2.6, 120)
    distance = radius * rng.normal(0.78, 0.03, len(angle))
    belt = centre + distance[:, None] * np.stack([np.sin(angle), np.cos(angle)], -1)
    kept: list[Floats] = []
    for candidate in np.concatenate([*clusters, belt]):
        if all(np.hypot(*(candidate - other)) >= spacing for other in kept):
            kept.append(candidate)
    return np.array(kept)


def _draw_podosome(canvas: Floats, site: Floats, pixel_um: float, rng: np.random.Generator) -> None:
    """Draw a core 0.4 µm wide of clumped actin, in a broken ring of adhesion proteins."""
    strength = rng.uniform(0.4, 1.3)
    core = disc_points(site, 0.2 / pixel_um, 40, rng)
    splat(canvas, core, strength * rng.gamma(3, 0.18, len(core)))
    angle = rng.uniform(0, 2 * np.pi, 22)
    distance = rng.normal(0.48, 0.05, len(angle)) / pixel_um
    ring = site + distance[:, None] * np.stack([np.sin(angle), np.cos(angle)], -1)
    splat(canvas, ring, strength * rng.gamma(3, 0.15, len(ring)))


def _draw_cables(canvas: Floats, sites: Floats, reach: float, rng: np.random.Generator) -> None:
    """Thin actin cables between neighbouring podosomes."""
    for index, site in enumerate(sites):
        for other in sites[index + 1 :]:
            gap = np.hypot(*(other - site))
            if gap < reach and rng.random() < 0.35:
                way = np.linspace(0, 1, int(2 * gap))[:, None]
                splat(canvas, site + way * (other - site), rng.uniform(0.05, 0.2))
