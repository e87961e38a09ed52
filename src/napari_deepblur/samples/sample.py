"""A sample image with its truth, and the camera that takes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.optics.settings import Optics

if TYPE_CHECKING:
    from napari_deepblur.operators import Convolution

__all__ = ["CAMERA_OFFSET", "Sample", "operators_of", "photograph"]

CAMERA_OFFSET = 100.0
_READ_NOISE = 30.0


@dataclass(frozen=True, slots=True)
class Sample:
    """An observed image, the sharp one that it comes from, and its blur.

    Attributes
    ----------
    name
        Name in `SAMPLES`.
    image
        Observed, counts, uint16, shape as `axes` say.
    axes
        ``YX`` or ``ZYX``.
    optics
        Microscope and pixel size.
    coefficients
        True γ of each plane, Noll modes 4 to 10, waves RMS, float32, shape (N, 7). Of γ
        and its twin the one with γ₄ ≥ 0.
    sharp
        Image of a microscope without blur and noise, counts, float32, same shape.
    z_step_um
        Distance between planes, µm; None for a single plane.
    """

    name: str
    image: NDArray[np.uint16]
    axes: str
    optics: Optics
    coefficients: NDArray[np.float32]
    sharp: NDArray[np.float32]
    z_step_um: float | None


def operators_of(
    optics: Optics, coefficients: NDArray[np.float32], shape: tuple[int, int]
) -> Sequence[Convolution]:
    """A(γ) of each row of γ for observed planes of a shape (Y, X)."""
    import torch

    from napari_deepblur.operators import ZernikeFamily

    family = ZernikeFamily().at_cutoff(optics.cutoff)
    return [family.operator(gamma, shape) for gamma in torch.from_numpy(coefficients)]


def photograph(
    operator: Convolution, scene: NDArray[np.float32], rng: np.random.Generator
) -> tuple[NDArray[np.uint16], NDArray[np.float32]]:
    """Blur a scene and count its photons with a camera.

    Parameters
    ----------
    operator
        Blur of the plane.
    scene
        Photons per pixel, shape of the operator's domain.
    rng
        Source of the photon and read-out noise.

    Returns
    -------
    image
        Counts with offset and noise, shape (Y, X).
    sharp
        The scene over the field with the same offset, shape (Y, X).
    """
    import torch

    photons = torch.from_numpy(scene.astype(np.float32))
    blurred = operator.forward(photons).clamp_min(0).numpy()
    noisy = rng.poisson(blurred) + rng.normal(0, _READ_NOISE, blurred.shape)
    counts = (noisy + CAMERA_OFFSET).round().clip(0, np.iinfo(np.uint16).max)
    sharp = operator.crop(photons).numpy() + np.float32(CAMERA_OFFSET)
    return counts.astype(np.uint16), sharp
