"""What is read from an image file, with its axes put in order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from napari_deepblur.errors import ImageError

__all__ = ["ImageFile", "arrange", "take_channel"]

_ORDER = "TCZYX"


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image and what its file says of it; None where the file is silent.

    Attributes
    ----------
    data
        Array, lazy (memory-mapped or zarr) where the file allows.
    axes
        One letter of T C Z Y X per dimension, in that order.
    pixel_size_um
        Side of a pixel in the sample, µm.
    z_step_um
        Distance between planes, µm.
    numerical_aperture
        Of the objective.
    wavelengths_um
        Emission wavelength of each channel in vacuum, µm; empty where unknown.
    refractive_index
        Of the immersion medium.
    """

    data: Any
    axes: str
    pixel_size_um: float | None = None
    z_step_um: float | None = None
    numerical_aperture: float | None = None
    wavelengths_um: tuple[float | None, ...] = ()
    refractive_index: float | None = None

    @property
    def wavelength_um(self) -> float | None:
        """Emission wavelength if all channels that are left share it."""
        different = set(self.wavelengths_um)
        return different.pop() if len(different) == 1 else None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the image."""
        return tuple(int(n) for n in self.data.shape)

    @property
    def n_channels(self) -> int:
        """Number of channels."""
        return self.shape[self.axes.index("C")] if "C" in self.axes else 1


def arrange(data: Any, stored: str, axes: str | None = None) -> tuple[Any, str]:
    """Bring an array's dimensions into the order T C Z Y X.

    Parameters
    ----------
    data
        Array as stored.
    stored
        tifffile's letter of each dimension: besides T C Z Y X these are S (samples of a
        colour pixel) and Q, I or others (unknown).
    axes
        The user's own letters of T C Z Y X, which override the stored ones.

    Returns
    -------
    data
        The array, transposed where needed.
    axes
        Its letters.

    Raises
    ------
    ImageError
        For a colour image, or axes that do not fit it.
    """
    if axes is None:
        if "S" in stored:
            raise ImageError(
                f"this is a colour image (RGB), shape {data.shape}: give one grey channel"
            )
        letters = _name_unknown(stored)
    else:
        letters = _check(axes, data.shape)
    order = sorted(range(len(letters)), key=lambda position: _ORDER.index(letters[position]))
    if order != list(range(len(letters))):
        data = np.asarray(data).transpose(order)
    return data, "".join(letters[position] for position in order)


def take_channel(image: ImageFile, channel: int | None) -> ImageFile:
    """One channel, without the channel axis; the image as it is for None.

    Raises
    ------
    ImageError
        If there is no such channel.
    """
    if channel is None:
        return image
    if not 0 <= channel < image.n_channels:
        raise ImageError(
            f"there is no channel {channel}: the image has {image.n_channels}, counted from 0"
        )
    known = image.wavelengths_um
    wavelengths = (known[channel],) if channel < len(known) else ()
    if "C" not in image.axes:
        return replace(image, wavelengths_um=wavelengths)
    position = image.axes.index("C")
    data = image.data[(slice(None),) * position + (channel,)]
    return replace(image, data=data, axes=image.axes.replace("C", ""), wavelengths_um=wavelengths)


def _name_unknown(stored: str) -> str:
    """Letters for dimensions that the file leaves unnamed: Z for the last, then T, then C."""
    free = [letter for letter in "ZTC" if letter not in stored]
    letters = list(stored)
    for position in reversed(range(len(letters))):
        if letters[position] not in _ORDER:
            if not free:
                raise ImageError(
                    f"the meaning of the image's dimensions ({stored}) is not clear: name them "
                    "by letters of TCZYX (axes)"
                )
            letters[position] = free.pop(0)
    if not {"Y", "X"} <= set(letters):
        raise ImageError(f"this is not an image: its dimensions are {stored}")
    return "".join(letters)


def _check(axes: str, shape: tuple[int, ...]) -> str:
    letters = axes.upper()
    if len(letters) != len(shape):
        raise ImageError(
            f"axes {axes!r} name {len(letters)} dimensions, the image has {len(shape)}: {shape}"
        )
    known = set(letters) <= set(_ORDER) and len(set(letters)) == len(letters)
    if not known or not {"Y", "X"} <= set(letters):
        raise ImageError(
            f"axes {axes!r} are not understood: use letters of TCZYX, each once, with Y and X, "
            "such as 'ZYX' or 'TYX'"
        )
    return letters
