"""Images at another pixel size, without aliasing, drooping or shifting."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["resample", "resample_to", "sampled_band"]


def resample(plane: NDArray[np.float32], factor: float) -> NDArray[np.float32]:
    """Resample by a factor through the cosine transform: exact for band-limited images.

    Parameters
    ----------
    plane
        Shape (..., Y, X).
    factor
        Pixels of the result per pixel of the plane.

    Returns
    -------
        Shape (..., round(Y · factor), round(X · factor)), same mean.
    """
    import torch

    height, width = (max(1, round(side * factor)) for side in plane.shape[-2:])
    if (height, width) == plane.shape[-2:]:
        return plane
    images = torch.from_numpy(np.array(plane, np.float32))
    return np.asarray(resample_to(images, (height, width)).numpy(), np.float32)


def resample_to(images: Tensor, shape: tuple[int, int]) -> Tensor:
    """Resample to a shape through the cosine transform: exact for band-limited images.

    The cosine transform mirrors the images at their borders, so nothing wraps around, and the
    outer edges of the first and last pixel stay where they are.

    Parameters
    ----------
    images
        Shape (..., Y, X).
    shape
        (Y, X) of the result.

    Returns
    -------
        Shape (..., *shape), same means.
    """
    if images.shape[-2:] == shape:
        return images
    rows = _resample_last_axis(images.mT, shape[0]).mT
    return _resample_last_axis(rows, shape[1])


def sampled_band(factor: float) -> float:
    """Highest frequency along each axis of which a resampled image knows, cycles per pixel."""
    return 0.5 * min(1.0, 1 / factor)


def _resample_last_axis(values: Tensor, new: int) -> Tensor:
    import torch

    old = values.shape[-1]
    if new == old:
        return values
    # The cosine transform is the Fourier transform of the values and their mirror image, up to
    # the half pixel between the first pixel's centre and its outer edge.
    spectrum = torch.fft.rfft(torch.cat([values, values.flip(-1)], -1))[..., : min(old, new)]
    order = torch.arange(spectrum.shape[-1], device=values.device)
    angle = math.pi / 2 * (1 / new - 1 / old) * order
    shifted = spectrum * torch.polar(torch.full_like(angle, new / old), angle)
    resampled: Tensor = torch.fft.irfft(shifted, n=2 * new)[..., :new]
    return resampled
