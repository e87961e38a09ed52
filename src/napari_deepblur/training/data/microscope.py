"""Training images of a family of blurs, with the faults of sample and camera."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Generator, Tensor

from napari_deepblur.engine.hot_pixels import without_hot_pixels
from napari_deepblur.engine.resample import resample_to, sampled_band
from napari_deepblur.operators import OperatorFamily
from napari_deepblur.training.config import ConditionsConfig
from napari_deepblur.training.data.sources import Source
from napari_deepblur.training.data.synthesis import (
    Haze,
    add_noise,
    draw_noise_levels,
    hot_pixels,
    quantise,
    saturate,
    shot_noise,
    smooth_background,
    uneven_illumination,
)

__all__ = ["Microscope"]

_HAZE_DEPTHS_UM = (0.5, 3.0)
_N_CUTOFFS = 5
#: In the brightest pixel of images with few of them.
_PHOTONS = (5.0, 200.0)


class Microscope:
    """Source of training images of one family of blurs, as a microscope and its camera give them.

    Images are made at the sampling of a random cutoff and, as in the engine, relieved of hot
    pixels there and resampled to the cutoff at which networks see them.

    Parameters
    ----------
    family
        The blurs.
    cutoffs
        Range of the cutoffs at which images are taken.
    conditions
        How often each fault of samples and cameras happens.
    highest_noise
        Highest noise level σ that `draw_levels` gives.
    device
        Where images are made.

    Raises
    ------
    ValueError
        If haze is asked for of a family without a pupil.
    """

    def __init__(
        self,
        family: OperatorFamily,
        cutoffs: tuple[float, float],
        conditions: ConditionsConfig,
        highest_noise: float,
        device: torch.device | str = "cpu",
    ) -> None:
        if conditions.haze and not family.noll_indices:
            raise ValueError(
                "haze is made by the pupil, which this family has not: set conditions.haze to 0"
            )
        self.family = family.to(device)
        self._conditions = conditions
        self._highest_noise = highest_noise
        self._cutoffs = [float(cutoff) for cutoff in np.linspace(*cutoffs, _N_CUTOFFS)]
        self._device = torch.device(device)
        self._families: dict[float, OperatorFamily] = {self.family.cutoff: self.family}
        self._hazes: dict[float, Haze] = {}

    def draw_levels(self, n: int, generator: Generator) -> Tensor:
        """Noise levels σ by the image's maximum, shape (n,)."""
        return draw_noise_levels(n, self._highest_noise, generator)

    @torch.no_grad()
    def images(
        self, gamma: Tensor, levels: Tensor, sources: Source, size: int, generator: Generator
    ) -> tuple[Tensor, float]:
        """Images as networks see them, all of one random cutoff when they were taken.

        Parameters
        ----------
        gamma
            The blurs' coefficients, shape (n, P).
        levels
            σ by the maximum of each noiseless image, shape (n,).
        sources
            Of the sharp scenes.
        size
            Side of the images.
        generator
            Draws all that is random.

        Returns
        -------
            Shape (n, size, size), and the highest frequency along each axis that the camera
            sampled (`sampled_band`).
        """
        cutoff = self._draw_cutoff(generator)
        if cutoff not in self._families:
            self._families[cutoff] = self.family.at_cutoff(cutoff)
        # A coarser pixel shows the same field in fewer of them.
        side = round(size * self.family.seen_at / cutoff)
        operator = self._families[cutoff].operator(gamma, (side, side))
        image = operator(_shuffled(sources, len(gamma), operator.domain_shape[0], generator))
        image = self._with_haze(image, gamma, cutoff, sources, generator)
        image = self._with_uneven_light(image, generator)
        image = self._with_noise(image, levels, generator)
        image = self._through_camera(image, generator)
        image = resample_to(without_hot_pixels(image), (size, size))
        return image, sampled_band(cutoff / self.family.seen_at)

    def _draw_cutoff(self, generator: Generator) -> float:
        low, high = self._cutoffs[0], self._cutoffs[-1]
        if low == high:
            return low
        choice, position = torch.rand(2, generator=generator, device=generator.device).tolist()
        if choice < 0.5 and low <= self.family.seen_at <= high:
            return self.family.seen_at
        return self._cutoffs[int(position * _N_CUTOFFS)]

    def _with_haze(
        self, image: Tensor, gamma: Tensor, cutoff: float, sources: Source, generator: Generator
    ) -> Tensor:
        chosen = self._chosen(self._conditions.haze, len(image), generator)
        if not len(chosen):
            return image
        if cutoff not in self._hazes:
            self._hazes[cutoff] = Haze(self.family.noll_indices, cutoff).to(self._device)
        haze = self._hazes[cutoff]
        n = len(chosen)
        # One plane on either side of the focus.
        above, below = (_between(n, generator, *_HAZE_DEPTHS_UM) for _ in range(2))
        defocus_um = torch.stack([above, -below], -1)
        scenes = _shuffled(sources, 2 * n, image.shape[-1] + haze.margin, generator)
        light = haze.light(scenes.unflatten(0, (n, 2)), gamma[chosen], defocus_um)
        share = _between(n, generator, 0, 0.6)
        return image.index_copy(0, chosen, haze.add(image[chosen], light, share))

    def _with_uneven_light(self, image: Tensor, generator: Generator) -> Tensor:
        chosen = self._chosen(self._conditions.background, len(image), generator)
        if n := len(chosen):
            height = _between(n, generator, 0, 0.5)
            changed = smooth_background(image[chosen], height, generator)
            image = image.index_copy(0, chosen, changed)
        chosen = self._chosen(self._conditions.illumination, len(image), generator)
        if n := len(chosen):
            amplitude = _between(n, generator, 0, 0.4)
            changed = uneven_illumination(image[chosen], amplitude, generator)
            image = image.index_copy(0, chosen, changed)
        return image

    def _with_noise(self, image: Tensor, levels: Tensor, generator: Generator) -> Tensor:
        if not self._conditions.few_photons:  # nothing is drawn then, as ever
            return add_noise(image, levels, generator)
        chosen = self._chosen(self._conditions.few_photons, len(image), generator)
        noisy = add_noise(image, levels, generator)
        if n := len(chosen):
            photons = torch.exp(_between(n, generator, *map(math.log, _PHOTONS)))
            noisy = noisy.index_copy(0, chosen, shot_noise(image[chosen], photons, generator))
        return noisy

    def _through_camera(self, image: Tensor, generator: Generator) -> Tensor:
        chosen = self._chosen(self._conditions.saturation, len(image), generator)
        if n := len(chosen):
            share = _between(n, generator, 0, 5e-3)
            image = image.index_copy(0, chosen, saturate(image[chosen], share))
        chosen = self._chosen(self._conditions.quantisation, len(image), generator)
        if n := len(chosen):
            bits = 8 + 4 * _between(n, generator, 0, 3).floor()
            exposure = torch.exp(_between(n, generator, math.log(0.1), 0))
            changed = quantise(image[chosen], bits, exposure=exposure)
            image = image.index_copy(0, chosen, changed)
        chosen = self._chosen(self._conditions.hot_pixels, len(image), generator)
        if n := len(chosen):
            share = _between(n, generator, 0, 3e-4)
            image = image.index_copy(0, chosen, hot_pixels(image[chosen], share, generator))
        return image

    @staticmethod
    def _chosen(share: float, n: int, generator: Generator) -> Tensor:
        """Draw the indices of the images that have a fault."""
        uniform = torch.rand(n, generator=generator, device=generator.device)
        return (uniform < share).nonzero()[:, 0]


def _shuffled(sources: Source, n: int, size: int, generator: Generator) -> Tensor:
    """Scenes in random order: a mixture gives them sorted by source."""
    order = torch.randperm(n, generator=generator, device=generator.device)
    return sources.sample(n, size, generator)[order]


def _between(n: int, generator: Generator, low: float, high: float) -> Tensor:
    return low + (high - low) * torch.rand(n, generator=generator, device=generator.device)
