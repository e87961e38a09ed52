"""A sample image with its truth, and the camera that takes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.optics.settings import Optics

if TYPE_CHECKING:
    from napari_deepblur.engine.volume.stack_blur import StackBlur
    from napari_deepblur.engine.volume.stack_optics import StackOptics
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
        True γ, waves RMS, float32, shape (N, P): of each plane (of γ and its twin the one with
        γ₄ ≥ 0), or of the one volume.
    sharp
        Image of a microscope without blur and noise, counts, float32, same shape.
    z_step_um
        Distance between planes, µm; None for a single plane.
    stack_optics
        Optics and modes of the one 3-D blur that the stack has; None where each plane has a blur
        of its own, of the Noll modes 4 to 10.
    """

    name: str
    image: NDArray[np.uint16]
    axes: str
    optics: Optics
    coefficients: NDArray[np.float32]
    sharp: NDArray[np.float32]
    z_step_um: float | None
    stack_optics: StackOptics | None = None

    @property
    def scale_um(self) -> tuple[float, ...]:
        """Distance between pixels along each axis, µm."""
        steps = {
            "Z": self.z_step_um,
            "Y": self.optics.pixel_size_um,
            "X": self.optics.pixel_size_um,
        }
        return tuple(steps[axis] or 1.0 for axis in self.axes)


def operators_of(
    optics: Optics, coefficients: NDArray[np.float32], shape: tuple[int, int]
) -> Sequence[Convolution]:
    """A(γ) of each row of γ for observed planes of a shape (Y, X)."""
    import torch

    from napari_deepblur.operators import ZernikeFamily

    family = ZernikeFamily().at_cutoff(optics.cutoff)
    return [family.operator(gamma, shape) for gamma in torch.from_numpy(coefficients)]


def photograph(
    operator: Convolution | StackBlur, scene: NDArray[np.float32], rng: np.random.Generator
) -> tuple[NDArray[np.uint16], NDArray[np.float32]]:
    """Blur a scene and count its photons with a camera.

    Parameters
    ----------
    operator
        Blur of the plane or volume.
    scene
        Photons per pixel or voxel, shape of the operator's domain.
    rng
        Source of the photon and read-out noise.

    Returns
    -------
    image
        Counts with offset and noise, shape (Y, X) or (Z, Y, X).
    sharp
        The scene over the field with the same offset, same shape.
    """
    import torch

    photons = torch.from_numpy(scene.astype(np.float32))
    blurred = operator.forward(photons).clamp_min(0).numpy()
    noisy = rng.poisson(blurred) + rng.normal(0, _READ_NOISE, blurred.shape)
    counts = (noisy + CAMERA_OFFSET).round().clip(0, np.iinfo(np.uint16).max)
    sharp = operator.crop(photons).numpy() + np.float32(CAMERA_OFFSET)
    return counts.astype(np.uint16), sharp
