"""The image of a command and the optics it was taken with."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from pathlib import Path

from napari_deepblur.errors import ImageError
from napari_deepblur.io import ImageFile, read_image
from napari_deepblur.optics.settings import Optics

__all__ = [
    "GivenOptics",
    "KnownOptics",
    "focus_step_um",
    "read_one_channel",
    "warn_of_pixel_size",
]

_OPTIONS = {
    "numerical_aperture": ("numerical aperture", "--na"),
    "wavelength_um": ("emission wavelength", "--wavelength"),
    "pixel_size_um": ("pixel size", "--pixel-size"),
}


@dataclass(frozen=True, slots=True)
class KnownOptics:
    """Optics, and where each of its values comes from."""

    optics: Optics
    origins: dict[str, str]


@dataclass(frozen=True, slots=True)
class GivenOptics:
    """What the command line says of the microscope; None where it is silent."""

    numerical_aperture: float | None = None
    wavelength_um: float | None = None
    pixel_size_um: float | None = None
    refractive_index: float | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing was given."""
        return self == GivenOptics()

    def missing(self, image: ImageFile) -> list[str]:
        """Fields that neither the command line nor the file says."""
        return [
            field
            for field in _OPTIONS
            if getattr(self, field) is None and getattr(image.metadata, field) is None
        ]

    def complete(self, image: ImageFile) -> KnownOptics:
        """Fill in what the image's file says.

        Raises
        ------
        ValueError
            If something stays unknown, or no microscope has such values.
        """
        missing = self.missing(image)
        if missing:
            names = " and ".join(_OPTIONS[field][0] for field in missing)
            options = ", ".join(_OPTIONS[field][1] for field in missing)
            raise ValueError(f"the file does not say the {names}: give {options}")
        values: dict[str, float] = {}
        origins: dict[str, str] = {}
        for field in (*_OPTIONS, "refractive_index"):
            given, told = getattr(self, field), getattr(image.metadata, field)
            if given is None and told is None:
                origins[field] = "default"
                continue
            values[field] = told if given is None else given
            origins[field] = "file" if given is None else "command line"
        return KnownOptics(Optics.model_validate(values), origins)


def read_one_channel(path: Path, *, channel: int | None, axes: str | None) -> ImageFile:
    """Read an image of which one channel is left.

    Raises
    ------
    ImageError
        If it has several and none was chosen, besides the errors of `read_image`.
    """
    image = read_image(path, channel=channel, axes=axes)
    if image.n_channels > 1:
        raise ImageError(
            f"the image has {image.n_channels} channels, each with its own wavelength: "
            f"choose one with --channel 0 … {image.n_channels - 1}"
        )
    return image


def focus_step_um(image: ImageFile, *, focus_series: bool, z_step_um: float | None) -> float | None:
    """Distance between the planes of a focus series; None if the image is said to be none.

    Raises
    ------
    ImageError
        If the image is no Z stack.
    ValueError
        If the distance is not known, or given for nothing.
    """
    if not focus_series:
        if z_step_um is not None:
            raise ValueError("--z-step is for a focus series: give --focus-series too")
        return None
    if image.axes != "ZYX" or image.shape[0] < 2:
        raise ImageError(
            "a focus series has the axes ZYX and two planes or more, the image is "
            f"{image.axes} {image.shape}: name its axes with --axes if they are others"
        )
    step = image.metadata.z_step_um if z_step_um is None else z_step_um
    if step is None:
        raise ValueError(
            "the file does not say the distance between its planes: give it in µm with --z-step"
        )
    if step == 0 or not math.isfinite(step):
        raise ValueError(f"the distance between planes must not be {step:g}: give it in µm")
    return step


def warn_of_pixel_size(image: ImageFile, optics: Optics) -> None:
    """Warn if a blur belongs to other pixels than the image has."""
    size = image.metadata.pixel_size_um
    if size is not None and not math.isclose(size, optics.pixel_size_um, rel_tol=0.01):
        warnings.warn(
            f"the blur was estimated for pixels of {optics.pixel_size_um:g} µm, "
            f"the image's are {size:g} µm",
            UserWarning,
            stacklevel=2,
        )
