"""Procedural fluorescent scenes, drawn in batches on the computing device.

Each function returns sharp images of shape (n, size, size) in [0, 1].
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Generator, Tensor
from torch.nn import functional

__all__ = ["SCENES", "filaments", "membranes", "nuclei", "podosomes", "points"]

Scene = Callable[[int, int, Generator], Tensor]


def points(n: int, size: int, generator: Generator) -> Tensor:
    """Isolated emitters, from a few to crowded, of exponentially distributed brightness."""
    most = size * size // 40
    position = _uniform(generator, n, most, 2) * (size - 1)
    brightness = -torch.log(_uniform(generator, n, most).clamp_min(1e-6))
    density = torch.exp(_uniform(generator, n, 1) * math.log(most / 4)) * 4 / most
    present = _uniform(generator, n, most) < density
    return _unit(_splat(position, brightness * present, size))


def filaments(n: int, size: int, generator: Generator) -> Tensor:
    """Thin wavy lines, such as microtubules and actin."""
    n_lines, n_steps = 16, int(1.5 * size)
    start = _uniform(generator, n, n_lines, 1, 2) * size
    heading = _uniform(generator, n, n_lines, 1) * 2 * math.pi
    stiffness = 0.02 + 0.08 * _uniform(generator, n, 1, 1)
    turns = _normal(generator, n, n_lines, n_steps) * stiffness
    angle = heading + turns.cumsum(-1)
    path = start + torch.stack([angle.sin(), angle.cos()], -1).cumsum(-2)
    brightness = _some(generator, n, n_lines)[..., None].expand(-1, -1, n_steps)
    return _unit(_splat(path.flatten(1, 2), brightness.flatten(1), size))


def membranes(n: int, size: int, generator: Generator) -> Tensor:
    """Closed wavy outlines of cells, one pixel thin."""
    n_cells = 8
    angle = torch.linspace(0, 2 * math.pi, 6 * size, device=generator.device)
    radius = _wavy_radius(generator, n, n_cells, size, angle)
    centre = _uniform(generator, n, n_cells, 1, 2) * size
    path = centre + radius[..., None] * torch.stack([angle.sin(), angle.cos()], -1)
    # Arc length per step, so that large cells are not dimmer.
    brightness = _some(generator, n, n_cells)[..., None] * radius / size
    return _unit(_splat(path.flatten(1, 2), brightness.flatten(1), size))


def nuclei(n: int, size: int, generator: Generator) -> Tensor:
    """Filled textured blobs with sharp edges."""
    n_cells = 6
    axis = torch.arange(size, device=generator.device)
    grid = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), -1)
    image = torch.zeros(n, size, size, device=generator.device)
    texture = _texture(generator, n, size)
    harmonic = torch.arange(2, 5, device=generator.device)
    brightness = _some(generator, n, n_cells)
    for cell in range(n_cells):
        offset = grid - _uniform(generator, n, 1, 1, 2) * size
        angle = torch.atan2(offset[..., 0], offset[..., 1])
        phase = _uniform(generator, n, 1, 1, 3) * 2 * math.pi
        ripple = (0.1 * torch.cos(harmonic * angle[..., None] + phase)).sum(-1)
        radius = size * (0.08 + 0.2 * _uniform(generator, n, 1, 1)) * (1 + ripple)
        inside = (radius - torch.linalg.vector_norm(offset, dim=-1) + 0.5).clamp(0, 1)
        image = torch.maximum(image, inside * brightness[:, cell, None, None] * texture)
    return _unit(image)


def podosomes(n: int, size: int, generator: Generator) -> Tensor:
    """Grainy round cores of one size with or without rings, over dim cytoplasm.

    Objects as large as the PSF, and alike: the hardest to tell from it.
    """
    n_sites, n_grains = 40, 40
    site = _uniform(generator, n, n_sites, 1, 2) * size
    brightness = _some(generator, n, n_sites)[..., None]
    core_radius = 0.5 + 4 * _uniform(generator, n, 1, 1)
    ring_radius = core_radius * (1.5 + 1.5 * _uniform(generator, n, 1, 1))
    ring_light = _uniform(generator, n, 1, 1) * (_uniform(generator, n, 1, 1) < 0.5)
    spread = _uniform(generator, n, n_sites, n_grains).sqrt() * core_radius
    jitter = 1 + 0.1 * _normal(generator, n, n_sites, n_grains)
    image = torch.zeros(n, size, size, device=generator.device)
    for radius, light in ((spread, brightness), (ring_radius * jitter, brightness * ring_light)):
        angle = _uniform(generator, n, n_sites, n_grains) * 2 * math.pi
        grain = site + radius[..., None] * torch.stack([angle.sin(), angle.cos()], -1)
        strength = light * _uniform(generator, n, n_sites, n_grains)
        image += _splat(grain.flatten(1, 2), strength.flatten(1), size)
    haze = 0.1 * _uniform(generator, n, 1, 1) * _texture(generator, n, size)
    return _unit(_unit(image) + haze)


#: Every scene by the name that settings give it.
SCENES: dict[str, Scene] = {
    "points": points,
    "filaments": filaments,
    "membranes": membranes,
    "nuclei": nuclei,
    "podosomes": podosomes,
}


def _uniform(generator: Generator, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=generator, device=generator.device)


def _normal(generator: Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=generator, device=generator.device)


def _some(generator: Generator, n: int, n_objects: int) -> Tensor:
    """Brightness of each object; a random part of them is absent, never all."""
    share = _uniform(generator, n, 1)
    present = (_uniform(generator, n, n_objects) < share).float()
    present[:, 0] = 1
    return present * (0.2 + 0.8 * _uniform(generator, n, n_objects))


def _wavy_radius(generator: Generator, n: int, n_cells: int, size: int, angle: Tensor) -> Tensor:
    harmonic = torch.arange(2, 8, device=generator.device)
    amplitude = _normal(generator, n, n_cells, 6) * 0.15 / harmonic
    phase = _uniform(generator, n, n_cells, 6) * 2 * math.pi
    waves = torch.cos(harmonic[:, None] * angle + phase[..., None])
    ripple = (amplitude[..., None] * waves).sum(-2)
    return size * (0.06 + 0.35 * _uniform(generator, n, n_cells, 1)) * (1 + ripple)


def _texture(generator: Generator, n: int, size: int) -> Tensor:
    """Speckle between about 0.3 and 1 with grains of a few pixels."""
    noise = _normal(generator, n, 1, size, size)
    coarse = functional.avg_pool2d(noise, 5, stride=1, padding=2) * 3
    mixed = coarse + 0.7 * functional.avg_pool2d(noise, 3, stride=1, padding=1) * 2
    return 0.3 + 0.7 * torch.sigmoid(1.5 * mixed[:, 0])


def _splat(position: Tensor, brightness: Tensor, size: int) -> Tensor:
    """Add points at sub-pixel positions (n, m, 2) to images by bilinear weights."""
    n = len(position)
    corner = position.floor()
    part = position - corner
    image = torch.zeros(n, size * size, device=position.device)
    for dy in (0, 1):
        for dx in (0, 1):
            row, column = corner[..., 0] + dy, corner[..., 1] + dx
            seen = (row >= 0) & (row < size) & (column >= 0) & (column < size)
            weight = (1 - dy - part[..., 0]).abs() * (1 - dx - part[..., 1]).abs()
            index = (row * size + column).long().where(seen, 0)
            image.scatter_add_(1, index, brightness * weight * seen)
    return image.reshape(n, size, size)


def _unit(image: Tensor) -> Tensor:
    return image / image.amax((-2, -1), keepdim=True).clamp_min(1e-6)
