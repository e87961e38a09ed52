"""Images as they lie in files, and the image that is read from one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from napari_deepblur.errors import ImageError
from napari_deepblur.io.axes import arrange, is_apart
from napari_deepblur.io.metadata import ImageMetadata

__all__ = ["ImageFile", "StoredImage", "read_stored", "separate"]


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image and what its file states of it.

    Attributes
    ----------
    data
        Array, lazy where the file allows: memory-mapped, or a dask array of its chunks.
    axes
        One letter of T C Z Y X per dimension, in that order.
    metadata
        Pixel size, channels, objective and more, as far as the file states them.
    """

    data: Any
    axes: str
    metadata: ImageMetadata = field(default_factory=ImageMetadata)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the image."""
        return tuple(int(n) for n in self.data.shape)

    @property
    def n_channels(self) -> int:
        """Number of channels."""
        return self.shape[self.axes.index("C")] if "C" in self.axes else 1

    @property
    def pixel_size_um(self) -> float | None:
        """Side of a square pixel, µm."""
        return self.metadata.pixel_size_um

    @property
    def z_step_um(self) -> float | None:
        """Distance between planes, µm."""
        return self.metadata.z_step_um

    @property
    def numerical_aperture(self) -> float | None:
        """Numerical aperture of the objective."""
        return self.metadata.numerical_aperture

    @property
    def wavelength_um(self) -> float | None:
        """Emission wavelength in vacuum if all channels share it, µm."""
        return self.metadata.wavelength_um

    @property
    def refractive_index(self) -> float | None:
        """Refractive index of the immersion medium."""
        return self.metadata.refractive_index


@dataclass(frozen=True, slots=True)
class StoredImage:
    """One of the images in a file, before its pixels are read.

    Attributes
    ----------
    load
        Function that gives the array, lazy where the file allows.
    axes
        tifffile's letter of each dimension as stored.
    shape
        Shape as stored.
    dtype
        Data type of its pixels.
    metadata
        What the file states of it.
    is_thumbnail
        Whether it is a small copy, a label or an overview of another image of the file.
    damage
        Why pixels are missing, in words; empty if the image is whole.
    """

    load: Callable[[], Any]
    axes: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    metadata: ImageMetadata = field(default_factory=ImageMetadata)
    is_thumbnail: bool = False
    damage: str = ""

    @property
    def plane(self) -> tuple[int, int]:
        """Height and width in pixels; (0, 0) of what is no image."""
        sides = dict(zip(self.axes, self.shape, strict=True))
        return sides.get("Y", 0), sides.get("X", 0)

    def describe(self) -> str:
        """Axes, size, type and name in a few words, or why there are none."""
        if not self.shape:
            return self.damage
        size = " × ".join(str(n) for n in self.shape)
        name = f" {self.metadata.name!r}" if self.metadata.name else ""
        return f"{self.axes} {size} {self.dtype.name}{name}"


def separate(images: Sequence[StoredImage], axes: str | None) -> list[StoredImage]:
    """Split dimensions of positions, angles and the like into images of their own.

    Parameters
    ----------
    images
        Images of a file.
    axes
        The user's own letters; a dimension that they name is left as it is.
    """
    apart: list[StoredImage] = []
    for image in images:
        place = next((i for i, letter in enumerate(image.axes) if is_apart(letter)), None)
        if place is None or (axes is not None and len(axes) == len(image.shape)):
            apart.append(image)
            continue
        one_by_one = [_along(image, place, index) for index in range(image.shape[place])]
        apart += separate(one_by_one, axes)
    return apart


def read_stored(image: StoredImage, channel: int | None, axes: str | None) -> ImageFile:
    """Read a stored image, or one of its channels, with its axes in the order T C Z Y X.

    Raises
    ------
    ImageError
        If it is in colour, or axes or channel do not fit.
    """
    if 0 in image.shape:
        raise ImageError(f"the image has no pixels: its shape is {image.shape}; is it whole?")
    data, letters = image.load(), image.axes
    if axes is None and "S" in letters:
        data, letters = _without_colour(data, letters, channel)
    data, letters = arrange(data, letters, axes)
    file = ImageFile(data, letters, image.metadata)
    file = replace(file, metadata=image.metadata.for_channels(file.n_channels))
    return _take_channel(file, channel)


def _along(image: StoredImage, place: int, index: int) -> StoredImage:
    letter, n = image.axes[place], image.shape[place]
    name = f"{image.metadata.name} {letter}={index}".strip() if n > 1 else image.metadata.name
    return replace(
        image,
        load=lambda: image.load()[(slice(None),) * place + (index,)],
        axes=image.axes[:place] + image.axes[place + 1 :],
        shape=image.shape[:place] + image.shape[place + 1 :],
        metadata=replace(image.metadata, name=name),
    )


def _without_colour(data: Any, letters: str, channel: int | None) -> tuple[Any, str]:
    """Take the channel asked for out of a colour image, or the one of grey stored as colour."""
    if channel is not None and "C" not in letters:
        return data, letters.replace("S", "C")
    samples = np.moveaxis(np.asarray(data), letters.index("S"), 0)
    # Two and four samples are one and three with a transparency.
    grey = samples[: len(samples) - (len(samples) + 1) % 2]
    if any(not np.array_equal(grey[0], one) for one in grey[1:]):
        raise ImageError(
            f"this is a colour image (RGB), shape {data.shape}: choose one of its channels "
            f"(--channel 0 … {len(samples) - 1}), or save it as grey"
        )
    return grey[0], letters.replace("S", "")


def _take_channel(image: ImageFile, channel: int | None) -> ImageFile:
    """Take one channel, without the channel axis; for None the image as it is.

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
    metadata = image.metadata.of_channel(channel)
    if "C" not in image.axes:
        return replace(image, metadata=metadata)
    place = image.axes.index("C")
    data = image.data[(slice(None),) * place + (channel,)]
    return ImageFile(data, image.axes.replace("C", ""), metadata)
