"""Procedural fluorescent scenes, drawn in batches on the computing device.

Each function returns sharp images of shape (n, size, size) in [0, 1].
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Generator, Tensor
from torch.nn import functional

__all__ = [
    "SCENES",
    "dead_leaves",
    "filaments",
    "flat",
    "membranes",
    "nuclei",
    "podosomes",
    "points",
    "spheroids",
]

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
    """Draw closed wavy outlines of cells, one pixel thin."""
    n_cells = 8
    angle = torch.linspace(0, 2 * math.pi, 6 * size, device=generator.device)
    radius = _wavy_radius(generator, n, n_cells, size, angle)
    centre = _uniform(generator, n, n_cells, 1, 2) * size
    path = centre + radius[..., None] * torch.stack([angle.sin(), angle.cos()], -1)
    # Arc length per step, so that large cells are not dimmer.
    brightness = _some(generator, n, n_cells)[..., None] * radius / size
    return _unit(_splat(path.flatten(1, 2), brightness.flatten(1), size))


def nuclei(n: int, size: int, generator: Generator) -> Tensor:
    """Draw filled textured blobs with sharp edges."""
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


def spheroids(n: int, size: int, generator: Generator) -> Tensor:
    """Many small textured nuclei close together, some deeper and dimmer than others."""
    image = torch.zeros(n, size, size, device=generator.device)
    texture = _texture(generator, n, size)
    fading = 0.5 + 0.4 * _uniform(generator, n, 1, 1)
    side = 8 + _integer(generator, 17)
    for depth in range(3):
        cells = _Cells(generator, size, side + _integer(generator, 5))
        along, across, limits = cells.ellipses(n, generator)
        level = torch.hypot(along / limits[0], across / limits[1])
        inside = ((1 - level) * limits[1] + 0.5).clamp(0, 1)
        brightness = cells.spread(0.3 + 0.7 * cells.uniform(n, generator))
        image = torch.maximum(image, inside * brightness * fading**depth)
    return _unit(image * texture * _ball(n, size, generator))


def dead_leaves(n: int, size: int, generator: Generator) -> Tensor:
    """Discs and polygons of power-law sizes that hide one another, as in natural images.

    Each octave of sizes covers as much as every other: the scale-invariant model of A. B. Lee,
    D. Mumford, J. Huang, *Occlusion models for natural images*, IJCV 41 (2001).
    """
    image = _uniform(generator, n, 1, 1).expand(n, size, size)
    octaves = [size // 2**octave for octave in range(8) if size // 2**octave >= 6]
    order = torch.randperm(len(octaves), generator=generator, device=generator.device)
    for position in order.tolist():
        cells = _Cells(generator, size, octaves[position])
        draw = cells.discs if _integer(generator, 2) else cells.polygons
        inside = draw(n, generator)
        image = torch.lerp(image, cells.spread(cells.uniform(n, generator)), inside)
    contrast = 0.3 * _uniform(generator, n, 1, 1)
    return _unit(image * (1 - contrast * _texture(generator, n, size)))


def flat(n: int, size: int, generator: Generator) -> Tensor:
    """Even or smoothly varying light, in which there is nothing to find."""
    tilt = 0.3 * _uniform(generator, 3, n, 1, 1) * (_uniform(generator, n, 1, 1) < 0.5)
    axis = torch.linspace(-1, 1, size, device=generator.device)
    shading = tilt[0] * axis[:, None] + tilt[1] * axis + tilt[2] * axis[:, None] * axis
    return _unit(1 - shading)


#: Every scene by the name that settings give it.
SCENES: dict[str, Scene] = {
    "points": points,
    "filaments": filaments,
    "membranes": membranes,
    "nuclei": nuclei,
    "podosomes": podosomes,
    "spheroids": spheroids,
    "dead_leaves": dead_leaves,
    "flat": flat,
}


class _Cells:
    """Square cells that tile an image, with one object in each: many for the price of one.

    Parameters
    ----------
    generator
        Draws how the tiling lies, the same for a whole batch.
    size
        Side of the images.
    side
        Side of a cell, pixels.
    """

    def __init__(self, generator: Generator, size: int, side: int) -> None:
        self._side = side
        # Turned about the centre, the image fits into as many cells as its diagonal needs.
        self._n = math.ceil(1.5 * size / side) + 2
        # Rows of cells are displaced like bricks: neither rows nor columns of objects show.
        angle, *bricks = _uniform(generator, 1 + self._n).unbind()
        axis = torch.arange(size, device=generator.device) - (size - 1) / 2
        y, x = axis[:, None], axis
        along = (angle.cos() * y + angle.sin() * x) / side + self._n / 2
        row = along.floor().long()
        across = (angle.cos() * x - angle.sin() * y) / side + self._n / 2
        across = across + torch.stack(bricks)[row] - 0.5
        column = across.floor().long()
        self._cell = (row * self._n + column).flatten()
        self._y = side * (along - row - 0.5)
        self._x = side * (across - column - 0.5)

    def uniform(self, n: int, generator: Generator) -> Tensor:
        """One number between 0 and 1 per cell, shape (n, cells)."""
        return _uniform(generator, n, self._n**2)

    def spread(self, values: Tensor) -> Tensor:
        """Values of cells (n, cells) at each pixel, shape (n, size, size)."""
        return values.index_select(-1, self._cell).reshape(-1, *self._y.shape)

    def ellipses(
        self, n: int, generator: Generator
    ) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
        """Pixel coordinates along an ellipse's axes, each (n, size, size), and semi-axes."""
        long = self._side / 2 * (0.6 + 0.4 * self.uniform(n, generator))
        short = long * (0.6 + 0.4 * self.uniform(n, generator))
        turn = math.pi * self.uniform(n, generator)
        cosine, sine = self.spread(turn.cos()), self.spread(turn.sin())
        y, x = self._offset(n, generator, self._side / 2 - 0.8 * short)
        limits = (self.spread(long), self.spread(short))
        return cosine * y + sine * x, cosine * x - sine * y, limits

    def discs(self, n: int, generator: Generator) -> Tensor:
        """1 inside a disc of each cell, 0 outside, shape (n, size, size)."""
        radius = self._radius(n, generator)
        y, x = self._offset(n, generator, self._side / 2 - radius)
        return (self.spread(radius) - torch.hypot(y, x) + 0.5).clamp(0, 1)

    def polygons(self, n: int, generator: Generator) -> Tensor:
        """1 inside an irregular triangle of each cell, 0 outside, shape (n, size, size)."""
        radius = self._radius(n, generator)
        y, x = self._offset(n, generator, self._side / 2 - radius)
        start = self.uniform(n, generator)
        distance = torch.full_like(y, -math.inf)
        for side in range(3):
            angle = 2 * math.pi / 3 * (start + side + 0.4 * self.uniform(n, generator))
            away = self.spread(angle.sin()) * y + self.spread(angle.cos()) * x
            distance = torch.maximum(distance, away)
        # The corners lie farther out than the sides.
        return (self.spread(radius / 1.7) - distance + 0.5).clamp(0, 1)

    def _radius(self, n: int, generator: Generator) -> Tensor:
        """Between a quarter and half of the cell; a fifth of the cells has no object."""
        present = self.uniform(n, generator) < 0.8
        radius = self._side / 4 * (1 + self.uniform(n, generator))
        return radius.where(present, -2)

    def _offset(self, n: int, generator: Generator, play: Tensor) -> tuple[Tensor, Tensor]:
        """Pixel coordinates from the object's centre, which strays by up to `play`."""
        stray = play.clamp_min(0) * (2 * _uniform(generator, 2, n, self._n**2) - 1)
        return self._y - self.spread(stray[0]), self._x - self.spread(stray[1])


def _ball(n: int, size: int, generator: Generator) -> Tensor:
    """1 at the rim of a large ball, less inside, from where less light comes; 0 outside."""
    centre = size * _uniform(generator, 2, n, 1, 1)
    radius = size * (0.35 + 0.65 * _uniform(generator, n, 1, 1))
    axis = torch.arange(size, device=generator.device)
    distance = torch.hypot(axis[:, None] - centre[0], axis - centre[1]) / radius
    loss = 0.7 * _uniform(generator, n, 1, 1)
    return (1 - loss * (1 - distance**2).clamp_min(0).sqrt()) * (distance < 1)


def _integer(generator: Generator, high: int) -> int:
    return int(torch.randint(high, (), generator=generator, device=generator.device))


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
