"""Synthetic observations with a known blur."""

from __future__ import annotations

import numpy as np
import torch

from napari_deepblur import Optics
from napari_deepblur.operators import ZernikeFamily
from napari_deepblur.training.data.scenes import SCENES
from napari_deepblur.training.data.synthesis import observe

#: A microscope at exactly the canonical cutoff, 0.25 cycles per pixel.
CANONICAL_OPTICS = Optics(numerical_aperture=1.3, wavelength_um=0.52, pixel_size_um=0.1)


def random_gamma(n: int = 1, *, seed: int = 0) -> torch.Tensor:
    """Admissible coefficients of the default family, shape (n, 7)."""
    return ZernikeFamily().admissible_set.sample(n, seed=seed)


def observed_scene(
    scene: str, gamma: torch.Tensor, *, size: int = 128, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Noiseless image of a scene and the scene itself over the same field, each (size, size)."""
    psf = ZernikeFamily().psf(gamma.reshape(1, 7))
    margin = psf.shape[-1] // 2
    generator = torch.Generator().manual_seed(seed)
    sharp = SCENES[scene](1, size + 2 * margin, generator)
    image = observe(sharp, psf)[0].numpy()
    return image, sharp[0, margin:-margin, margin:-margin].numpy()
