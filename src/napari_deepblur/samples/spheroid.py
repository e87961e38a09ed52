"""Light-sheet stack through a spheroid of cells, whose nuclei are labelled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.optics.settings import Optics
from napari_deepblur.samples.drawing import grains
from napari_deepblur.samples.sample import Sample, operators_of, photograph

__all__ = ["spheroid"]

_N_PLANES = 12
_SHAPE = (256, 256)
_SEED = 7
_PEAK_PHOTONS = 2000.0
_Z_STEP_UM = 1.0
_SPHEROID_RADIUS_UM = 19.0
_NUCLEUS_RADII_UM = (2.2, 3.4)
#: Distance of two nuclei's centres, at least.
_APART_UM = 4.6
#: Aberration of the deepest plane, waves RMS.
_DEEPEST = (0.12, 0.05, -0.08, 0.07, 0.09, -0.06, 0.05)

Floats = NDArray[np.float64]


def spheroid() -> Sample:
    """Draw a stack of 12 × 256 × 256 pixels whose aberration grows with depth."""
    optics = Optics(
        numerical_aperture=0.8, wavelength_um=0.52, pixel_size_um=0.16, refractive_index=1.33
    )
    growth = np.linspace(0.25, 1, _N_PLANES)[:, None]
    coefficients = (growth * np.array(_DEEPEST)).astype(np.float32)
    rng = np.random.default_rng(_SEED)
    operators = operators_of(optics, coefficients, _SHAPE)
    scenes = _draw(operators[0].domain_shape, optics.pixel_size_um, rng)
    planes = [
        photograph(operator, scene, rng) for operator, scene in zip(operators, scenes, strict=True)
    ]
    image, sharp = (np.stack(part) for part in zip(*planes, strict=True))
    return Sample("spheroid", image, "ZYX", optics, coefficients, sharp, _Z_STEP_UM)


def _draw(shape: tuple[int, ...], pixel_um: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Photons per pixel, shape (12, *shape)."""
    stack = np.zeros((_N_PLANES, *shape))
    texture = _chromatin(stack.shape, rng)
    depth_um = _Z_STEP_UM * np.arange(_N_PLANES)
    for centre in _centres(rng):
        semi_axes = rng.uniform(*_NUCLEUS_RADII_UM, size=3)
        turn = rng.uniform(0, np.pi)
        brightness = rng.uniform(0.45, 1)
        for z in np.flatnonzero(np.abs(depth_um - centre[0]) < semi_axes[0]):
            flattened = np.sqrt(1 - ((depth_um[z] - centre[0]) / semi_axes[0]) ** 2)
            place = centre[1:] / pixel_um + np.array(shape) / 2
            radii = flattened * semi_axes[1:] / pixel_um
            box = _box(shape, place, radii.max() + 1)
            section = brightness * _ellipse(box, place, radii, turn)
            stack[z][box] = np.maximum(stack[z][box], section * texture[z][box])
    # Light is lost on its way out of the deeper planes.
    stack *= np.linspace(1, 0.7, _N_PLANES)[:, None, None]
    background = 40.0
    scale = _PEAK_PHOTONS / np.percentile(stack, 99.8)
    return np.asarray(background + scale * stack, np.float32)


def _centres(rng: np.random.Generator) -> Floats:
    """Nuclei in the spheroid's upper part, (z, y, x) in µm, none inside another."""
    kept = np.empty((0, 3))
    for candidate in rng.uniform(-_SPHEROID_RADIUS_UM, _SPHEROID_RADIUS_UM, (9000, 3)):
        near = bool((np.square(kept - candidate).sum(1) <= _APART_UM**2).any())
        if candidate @ candidate < _SPHEROID_RADIUS_UM**2 and not near:
            kept = np.vstack([kept, candidate])
    # The stack starts 15 µm above the spheroid's equator.
    return np.asarray(kept + np.array([15.0, 0, 0]))


def _chromatin(shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Texture in 0 … 1.5: coarse domains, fine strands, a few bright dense spots."""
    planes = [
        0.5 + 0.16 * grains(shape[1:], 4, rng) + 0.16 * grains(shape[1:], 0.8, rng)
        for _ in range(shape[0])
    ]
    spots = rng.random(shape) < 0.008
    dense = 0.5 * spots * rng.exponential(1, shape).clip(0, 3)
    return np.asarray(np.clip(planes, 0.05, 1) + dense)


def _box(shape: tuple[int, ...], centre_yx: Floats, reach: float) -> tuple[slice, ...]:
    """Rows and columns within a distance of a place."""
    first = np.floor(centre_yx - reach).astype(int).clip(0, shape)
    stop = np.ceil(centre_yx + reach + 1).astype(int).clip(0, shape)
    return tuple(map(slice, first, stop))


def _ellipse(box: tuple[slice, ...], centre_yx: Floats, semi_axes: Floats, turn: float) -> Floats:
    """1 inside a turned ellipse, 0 outside, shaded over its edge pixels only; in a box."""
    row, column = np.mgrid[box]
    dy, dx = row - centre_yx[0], column - centre_yx[1]
    along = np.cos(turn) * dy + np.sin(turn) * dx
    across = np.cos(turn) * dx - np.sin(turn) * dy
    level = np.hypot(along / semi_axes[0], across / semi_axes[1])
    return np.asarray(np.clip((1 - level) * semi_axes.min() + 0.5, 0, 1))
