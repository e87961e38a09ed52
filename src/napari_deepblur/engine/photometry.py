"""Brightness and noise of a plane, measured once for all of its tiles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.events import Event, Job, Progress, finish
from napari_deepblur.engine.noise import NoiseModel, NoiseReading
from napari_deepblur.engine.stored_plane import SeenPlane, bands_of

if TYPE_CHECKING:
    from torch import Tensor

    from napari_deepblur.networks.photometry import IntensityScale

__all__ = ["Photometry", "photometry_job"]

#: Least noise that the network is told by that of the noisiest place: into what it takes for
#: noiseless beside a noisy place it draws structure.
_LEAST_NOISE = 0.14

_MEASURING = Progress(0, 1, "measuring brightness and noise")

_TINY = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True, slots=True)
class Photometry:
    """Scale of a plane's brightness and its noise.

    Attributes
    ----------
    scale
        From counts to the network's scale, a batch of one.
    noise
        How the noise depends on brightness, in counts.
    cutoff
        f_c of the optics, cycles per pixel.
    loudest
        Largest standard deviation of the noise over the plane, counts.
    overall
        The one number for the plane's noise that sets the network's steps, on its scale.
    observed_light
        Sum of the light above the dark level over pixels that hold data, counts.
    """

    scale: IntensityScale
    noise: NoiseModel
    cutoff: float
    loudest: float
    overall: float
    observed_light: float

    @classmethod
    def of(cls, observed: SeenPlane, cutoff: float, noise: NoiseModel | None = None) -> Photometry:
        """Measure a plane: `photometry_job` in one go."""
        return finish(photometry_job(observed, cutoff, noise=noise))

    def noise_map(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute the standard deviation of the noise in each pixel of a part of the plane."""
        return self.noise.map(image, self.cutoff)

    def level(self, noise_map: NDArray[np.float32]) -> Tensor:
        """Noise as the network is told it: one number, shape (1,), or a map, shape (1, Y, X)."""
        import torch

        if not self.noise.varies:
            return torch.tensor([self.overall])
        return torch.from_numpy(_for_network(noise_map, self.loudest))[None] / self.scale.span

    def light(self, image: NDArray[np.float32], valid: NDArray[np.bool_] | None) -> float:
        """Sum of the light above the dark level over pixels that hold data, counts."""
        light = image - np.float32(self.scale.dark.item())
        return float((light if valid is None else light[valid]).sum(dtype=float))

    def factor(self, light: float, n_pixels: int) -> float:
        """Factor by which an image of so much light is brought to that of the plane."""
        return self.observed_light / max(light, 1e-6 * n_pixels * float(self.scale.span))

    def brought(self, image: NDArray[np.float32], factor: float) -> NDArray[np.float32]:
        """Multiply the light of an image above the dark level.

        So offset and gain of the camera stay what they are.
        """
        dark = np.float32(self.scale.dark.item())
        brought: NDArray[np.float32] = dark + np.float32(factor) * (image - dark)
        return brought


def photometry_job(
    observed: SeenPlane,
    cutoff: float,
    *,
    noise: NoiseModel | None = None,
    at: Event = _MEASURING,
) -> Job[Photometry]:
    """Measure a plane, a large one in bands; yields before each.

    Parameters
    ----------
    observed
        The plane, counts.
    cutoff
        f_c of its optics, cycles per pixel.
    noise
        Noise of the plane; by default as `noise_model` reads it.
    at
        What to yield.
    """
    import torch

    from napari_deepblur.networks.photometry import IntensityScale

    extremes, reading = _Extremes(observed.shape), NoiseReading(cutoff)
    for part, own in bands_of(observed, below=reading.overlap):
        yield at
        extremes.add(part.image[own], None if part.valid is None else part.valid[own])
        if noise is None:
            reading.add(part.image, part.valid)
    noise = noise or reading.model()
    dark, span = extremes.scale()
    scale = IntensityScale(*(torch.full((1, 1, 1), value) for value in (dark, span)))
    light = extremes.total - extremes.n_pixels * dark
    if not noise.varies:
        deviation = noise.deviation
        return Photometry(scale, noise, cutoff, deviation, deviation / span, light)
    loudest = power = weight = 0.0
    for _, deviation_map in _noise_maps(observed, noise, cutoff):
        yield at
        loudest = max(loudest, float(deviation_map.max()))
    for image, deviation_map in _noise_maps(observed, noise, cutoff):
        yield at
        # Each pixel by its light, as `level_of_light` does.
        bright = ((image - np.float32(dark)) / np.float32(span)).clip(0)
        told = _for_network(deviation_map, loudest) / np.float32(span)
        power += float((np.square(told) * bright).sum(dtype=float))
        weight += float(bright.sum(dtype=float))
    overall = (power / max(weight, _TINY)) ** 0.5
    return Photometry(scale, noise, cutoff, loudest, overall, light)


def _noise_maps(
    observed: SeenPlane, noise: NoiseModel, cutoff: float
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Bands of a plane, and the standard deviation of the noise in each of their pixels."""
    reach = noise.reach(cutoff)
    for part, own in bands_of(observed, above=reach, below=reach):
        yield part.image[own], noise.map(part.image, cutoff)[own]


class _Extremes:
    """Darkest and brightest pixels, number and sum of those of a plane that come in bands."""

    def __init__(self, shape: tuple[int, int]) -> None:
        from napari_deepblur.networks.photometry import BRIGHT_SHARE, DARK_SHARE

        self._shares = DARK_SHARE, BRIGHT_SHARE
        self._most = [_count(share, shape[0] * shape[1]) for share in self._shares]
        self._darkest = self._brightest = np.empty(0, np.float32)
        self.n_pixels, self.total = 0, 0.0

    def add(self, image: NDArray[np.float32], valid: NDArray[np.bool_] | None) -> None:
        """Add a band; pixels that are not valid do not count."""
        values = image.ravel() if valid is None else image[valid]
        self.n_pixels += values.size
        self.total += float(values.sum(dtype=float))
        n_dark, n_bright = (min(most, values.size) for most in self._most)
        if values.size:
            values = np.partition(values, sorted({n_dark - 1, values.size - n_bright}))
        dark = np.append(self._darkest, values[:n_dark])
        bright = np.append(self._brightest, values[values.size - n_bright :])
        self._darkest = np.sort(dark)[: self._most[0]]
        self._brightest = np.sort(bright)[-self._most[1] :]

    def scale(self) -> tuple[float, float]:
        """Dark level and span, as `IntensityScale` measures them."""
        n_dark, n_bright = (_count(share, self.n_pixels) for share in self._shares)
        dark = float(self._darkest[n_dark - 1])
        span = float(self._brightest[-n_bright:].mean(dtype=float)) - dark
        return dark, span if span > 0 else 1.0


def _count(share: float, n_pixels: int) -> int:
    return max(1, round(share * n_pixels))


def _for_network(noise: NDArray[np.float32], loudest: float) -> NDArray[np.float32]:
    """Make a map of the noise without places that are all but noiseless."""
    return noise.clip(_LEAST_NOISE * loudest)
