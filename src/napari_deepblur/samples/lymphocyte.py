"""Widefield z-stack of a small round cell: microtubules around a dark nucleus, and granules."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.volume.stack_blur import StackBlur
from napari_deepblur.engine.volume.stack_optics import StackOptics
from napari_deepblur.optics.settings import Optics
from napari_deepblur.samples.drawing import grains, splat
from napari_deepblur.samples.sample import Sample, photograph

__all__ = ["lymphocyte"]

_SHAPE = (24, 96, 96)
_SEED = 11
_PEAK_PHOTONS = 4000.0
_BACKGROUND = 60.0
_Z_STEP_UM = 0.25

#: Noll modes 5 to 15 and 22 of an objective whose correction collar is wrong, and which is not
#: quite centred.
_COEFFICIENTS = (0.05, -0.06, 0.06, -0.08, 0.03, -0.04, 0.1, 0, 0, 0, 0, 0.02)
#: What no pupil explains: vibration, and the filter's bandwidth.
_BROADENING_PX = 0.3

_CELL_UM = np.array([2.2, 3.5, 3.4])
_NUCLEUS = 0.68
_N_MICROTUBULES, _N_GRANULES = 36, 30

Floats = NDArray[np.float64]


def _unit(vector: Floats) -> Floats:
    return np.asarray(vector / math.sqrt(vector @ vector))


def _cross(one: Floats, other: Floats) -> Floats:
    """Cross product of two vectors; numpy's is made for many and takes 30 times as long for one."""
    a, b, c = one.tolist()
    x, y, z = other.tolist()
    return np.array([b * z - c * y, c * x - a * z, a * y - b * x])


#: Direction of the centrosome from the middle of the cell.
_CENTROSOME = _unit(np.array([-0.3, -0.7, 0.6]))


def lymphocyte() -> Sample:
    """Draw a stack of 24 × 96 × 96 voxels, 6 × 8.6 × 8.6 µm, with one 3-D blur."""
    import torch

    optics = Optics(
        numerical_aperture=1.4, wavelength_um=0.52, pixel_size_um=0.09, refractive_index=1.518
    )
    known = StackOptics(optics, _Z_STEP_UM, broadening_px=_BROADENING_PX)
    coefficients = np.array([_COEFFICIENTS], np.float32)
    domain = known.domain_of(_SHAPE)
    transfer = known.pupil(domain).transfer(torch.from_numpy(coefficients[0]))
    operator = StackBlur(transfer, _SHAPE, domain)
    rng = np.random.default_rng(_SEED)
    light = _draw(domain, np.array([_Z_STEP_UM, *[optics.pixel_size_um] * 2]), rng)
    # The cell lies in the middle of the domain, the stack in its corner.
    moves = [-((large - small) // 2) for small, large in zip(_SHAPE, domain, strict=True)]
    light = np.roll(light, moves, axis=(0, 1, 2))
    brightest = float(operator.forward(torch.from_numpy(light)).max())
    scene = np.float32(_BACKGROUND) + np.float32(_PEAK_PHOTONS / brightest) * light
    image, sharp = photograph(operator, scene, rng)
    return Sample(
        "lymphocyte", image, "ZYX", optics, coefficients, sharp, _Z_STEP_UM, stack_optics=known
    )


def _draw(
    shape: tuple[int, ...], voxel_um: Floats, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Light without background, by any unit."""
    canvas = np.zeros(shape)
    middle = (np.array(shape) - 1) / 2
    radii = _CELL_UM / voxel_um
    for _ in range(_N_MICROTUBULES):
        path = _microtubule(rng)
        # Dim where all begin, so that the centrosome does not outshine the rest.
        splat(canvas, middle + radii * path, np.linspace(0, 4, len(path)).clip(0.2, 1))
    for _ in range(_N_GRANULES):
        place = _unit(_CENTROSOME + 0.7 * rng.normal(size=3)) * rng.uniform(_NUCLEUS, 0.95)
        # Balls of 0.2 to 0.3 µm.
        cloud = rng.normal(0, rng.uniform(0.08, 0.12), (80, 3)) / voxel_um
        splat(canvas, middle + radii * place + cloud, rng.uniform(0.3, 1))
    canvas += 0.05 * _cytoplasm(shape, middle, radii, rng)
    return canvas.astype(np.float32)


def _microtubule(rng: np.random.Generator) -> Floats:
    """Path from the centrosome along the cell's surface, in its radii, shape (n, 3)."""
    point, heading, bend = _CENTROSOME, rng.normal(size=3), 0.0
    depth = rng.uniform(_NUCLEUS + 0.08, 0.95)
    path = []
    for step in range(int(rng.uniform(120, 330))):
        bend = 0.9 * bend + 0.01 * rng.normal()
        heading = heading + bend * _cross(point, heading)
        heading = _unit(heading - (heading @ point) * point)
        point = _unit(point + 0.01 * heading)
        # All begin at one depth and come apart soon.
        path.append(point * (0.8 + (depth - 0.8) * min(step / 30, 1)))
    return np.array(path)


def _cytoplasm(
    shape: tuple[int, ...], middle: Floats, radii: Floats, rng: np.random.Generator
) -> Floats:
    """Dim grains between the cell's surface and the nucleus, which holds hardly any."""
    place = (np.moveaxis(np.indices(shape), 0, -1) - middle) / radii
    level = np.linalg.norm(place, axis=-1)
    inside = np.clip((1 - level) * radii.mean(), 0, 1)
    outside_nucleus = np.clip((level - _NUCLEUS) * radii.mean(), 0.1, 1)
    return np.asarray(inside * outside_nucleus * (1 + 0.4 * grains(shape, 0.8, rng)).clip(0))
