"""Drawing of cells at single-pixel fineness."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

__all__ = ["disc_points", "grains", "inside_outline", "moved", "outline", "splat", "wavy_line"]

Floats = NDArray[np.float64]


def splat(canvas: Floats, positions: Floats, brightness: Floats | float) -> None:
    """Add points at sub-pixel positions, shape (n, dimensions), by linear weights, in place."""
    light = np.broadcast_to(brightness, len(positions))
    corner = np.floor(positions).astype(int)
    part = positions - corner
    for ahead in product((0, 1), repeat=canvas.ndim):
        pixel = corner + ahead
        seen = ((pixel >= 0) & (pixel < canvas.shape)).all(1)
        weight = np.abs(1 - np.array(ahead) - part).prod(1) * light
        np.add.at(canvas, tuple(pixel[seen].T), weight[seen])


def disc_points(centre_yx: Floats, radius: float, n: int, rng: np.random.Generator) -> Floats:
    """Points spread evenly at random over a disc, shape (n, 2)."""
    distance = radius * np.sqrt(rng.random(n))
    angle = rng.uniform(0, 2 * np.pi, n)
    offsets = distance[:, None] * np.stack([np.sin(angle), np.cos(angle)], -1)
    return np.asarray(centre_yx + offsets)


def wavy_line(
    start_yx: Floats, heading: float, length: int, bending: float, rng: np.random.Generator
) -> Floats:
    """Path of half-pixel steps whose direction drifts, shape (2 · length, 2)."""
    angle = heading + np.cumsum(rng.normal(0, bending, 2 * length))
    steps = 0.5 * np.stack([np.sin(angle), np.cos(angle)], -1)
    return np.asarray(start_yx + np.cumsum(steps, axis=0))


def outline(angle: Floats, radius: float, ripples: Floats) -> Floats:
    """Radius of a wavy closed curve at angles of any shape.

    Parameters
    ----------
    angle
        Angles in radians, of any shape.
    radius
        Mean radius.
    ripples
        Relative amplitude and phase of the harmonics 2, 3 …, shape (n, 2).

    Returns
    -------
        Radius, shape of `angle`.
    """
    order = np.arange(2, 2 + len(ripples))
    waves = np.cos(np.multiply.outer(angle, order) + ripples[:, 1])
    return np.asarray(radius * (1 + waves @ ripples[:, 0]))


def inside_outline(
    shape: tuple[int, ...], centre_yx: Floats, radius: float, ripples: Floats
) -> Floats:
    """1 inside a wavy closed curve, 0 outside, shaded over its edge pixels only."""
    row, column = np.indices(shape)
    dy, dx = row - centre_yx[0], column - centre_yx[1]
    edge = outline(np.arctan2(dy, dx), radius, ripples)
    return np.asarray(np.clip(edge - np.hypot(dy, dx) + 0.5, 0, 1))


def grains(shape: tuple[int, ...], size: float, rng: np.random.Generator) -> Floats:
    """Random texture of mean 0 and variance 1 with grains of a size in pixels."""
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(rng.normal(size=shape), size, mode="wrap")
    return np.asarray((noise - noise.mean()) / noise.std())


def moved(patch: Floats, shift_yx: Floats) -> Floats:
    """Move a patch by fractions of a pixel, exactly if it is band-limited and periodic."""
    from scipy.ndimage import fourier_shift

    return np.asarray(np.fft.ifft2(fourier_shift(np.fft.fft2(patch), shift_yx)).real)
