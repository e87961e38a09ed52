"""Patches cut out of an image around given points, moved by fractions of a pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["cut", "cut_centred"]

#: Pixels around a patch that fade to 0, so that it is periodic and moving it does not ring.
_MARGIN = 8

#: Patches that are moved at once.
_CHUNK = 512

Floats = NDArray[np.float64]


def cut(image: NDArray[np.float32], pixels_yx: NDArray[np.int_], window: int) -> Floats:
    """Patches around pixels, shape (n, window, window); the image is mirrored at its border."""
    half = window // 2
    offsets = np.arange(-half, half + 1)
    rows, columns = (
        _mirrored(pixels_yx[:, axis, None] + offsets, image.shape[axis]) for axis in (0, 1)
    )
    return image[rows[:, :, None], columns[:, None, :]].astype(np.float64)


def _mirrored(index: NDArray[np.int_], n: int) -> NDArray[np.int_]:
    folded = np.mod(index, 2 * n)
    return np.asarray(np.minimum(folded, 2 * n - 1 - folded))


def cut_centred(image: NDArray[np.float32], positions_yx: Floats, window: int) -> Floats:
    """Patches whose middle pixel is the given point, moved in Fourier space.

    Nothing is blurred and white noise stays white: every frequency keeps its strength.

    Parameters
    ----------
    image
        Counts above background, shape (Y, X).
    positions_yx
        Points in pixels, shape (n, 2).
    window
        Side of the patches, odd.

    Returns
    -------
        Shape (n, window, window).
    """
    pixels = positions_yx.round().astype(int)
    fade = np.ones(window + 2 * _MARGIN)
    fade[:_MARGIN] = np.sin(np.pi / 2 * (np.arange(_MARGIN) + 0.5) / _MARGIN) ** 2
    fade *= fade[::-1]
    frequency_y = np.fft.fftfreq(len(fade))[:, None]
    frequency_x = np.fft.rfftfreq(len(fade))
    patches = np.empty((len(pixels), window, window))
    for start in range(0, len(pixels), _CHUNK):
        some = slice(start, start + _CHUNK)
        wide = cut(image, pixels[some], len(fade)) * fade[:, None] * fade
        dy, dx = (positions_yx[some] - pixels[some]).T[:, :, None, None]
        turn = np.exp(2j * np.pi * (frequency_y * dy + frequency_x * dx))
        moved = np.fft.irfft2(np.fft.rfft2(wide) * turn, s=wide.shape[1:])
        patches[some] = moved[:, _MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
    return patches
