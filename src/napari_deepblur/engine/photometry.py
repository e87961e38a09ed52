"""Brightness and noise of a plane, measured once for all of its tiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.noise import NoiseModel, noise_model
from napari_deepblur.engine.valid_pixels import ValidPlane

if TYPE_CHECKING:
    from torch import Tensor

    from napari_deepblur.networks.photometry import IntensityScale

__all__ = ["Photometry"]

#: Least noise that the network is told by that of the noisiest place: into what it takes for
#: noiseless beside a noisy place it draws structure.
_LEAST_NOISE = 0.14


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
    """

    scale: IntensityScale
    noise: NoiseModel
    cutoff: float
    loudest: float
    overall: float

    @classmethod
    def of(cls, observed: ValidPlane, cutoff: float, noise: NoiseModel | None = None) -> Photometry:
        """Measure a plane.

        Parameters
        ----------
        observed
            The whole plane, counts.
        cutoff
            f_c of its optics, cycles per pixel.
        noise
            Noise of the plane; by default as `noise_model` reads it.
        """
        import torch

        from napari_deepblur.networks.photometry import IntensityScale
        from napari_deepblur.networks.unrolled import level_of_light

        image = torch.from_numpy(observed.image)[None]
        valid = observed.valid
        # As an image of one row where some pixels hold no data.
        with_data = image if valid is None else image[:, torch.from_numpy(valid)][:, None]
        scale = IntensityScale.of(with_data)
        noise = noise or noise_model(observed.image, cutoff, valid)
        span = float(scale.span)
        if not noise.varies:
            return cls(scale, noise, cutoff, noise.deviation, noise.deviation / span)
        deviation = noise.map(observed.image, cutoff)
        loudest = float(deviation.max())
        told = torch.from_numpy(_for_network(deviation, loudest))[None] / scale.span
        overall = level_of_light(told, scale.normalise(image))
        return cls(scale, noise, cutoff, loudest, float(overall))

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

    def with_light_of(
        self,
        image: NDArray[np.float32],
        other: NDArray[np.float32],
        valid: NDArray[np.bool_] | None,
    ) -> NDArray[np.float32]:
        """Bring an image to the light of another one.

        Above the dark level, so that offset and gain of the camera stay what they are.
        """
        dark = np.float32(self.scale.dark.item())
        least = 1e-6 * image.size * float(self.scale.span)
        factor = self.light(other, valid) / max(self.light(image, valid), least)
        brought: NDArray[np.float32] = dark + np.float32(factor) * (image - dark)
        return brought


def _for_network(noise: NDArray[np.float32], loudest: float) -> NDArray[np.float32]:
    """Make a map of the noise without places that are all but noiseless."""
    return noise.clip(_LEAST_NOISE * loudest)
