"""Metadata of an image: its pixels, place, time, channels and objective."""

from __future__ import annotations

from dataclasses import dataclass, replace

__all__ = ["Channel", "ImageMetadata", "Position", "are_square"]

#: Relative difference up to which the two sides of a pixel count as equal.
_SQUARE_WITHIN = 0.01


def are_square(sides_um: tuple[float, float]) -> bool:
    """Tell whether pixels are square but for rounding.

    Parameters
    ----------
    sides_um
        Sides of a pixel along Y and X, µm.
    """
    down, across = sides_um
    return abs(across - down) <= _SQUARE_WITHIN * across


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """Metadata of one channel; None or an empty word where the file is silent.

    Attributes
    ----------
    name
        Name, such as that of the fluorophore.
    wavelength_um
        Emission wavelength in vacuum, µm.
    excitation_um
        Excitation wavelength in vacuum, µm.
    colour
        Red, green and blue from 0 to 255 that the channel is shown in.
    """

    name: str = ""
    wavelength_um: float | None = None
    excitation_um: float | None = None
    colour: tuple[int, int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Place of an image's first pixel in the microscope's coordinates.

    Attributes
    ----------
    z, y, x
        Coordinates; None where the file is silent.
    unit
        `µm`, or `reference frame` where the file gives numbers without a unit.
    """

    z: float | None = None
    y: float | None = None
    x: float | None = None
    unit: str = "µm"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageMetadata:
    """Metadata that a file states of an image; None where it is silent, nothing is guessed.

    Attributes
    ----------
    pixel_sides_um
        Sides of a pixel in the sample along Y and X, µm.
    z_step_um
        Distance between planes, µm.
    time_step_s
        Time between frames, s.
    position
        Place of the first pixel.
    channels
        One entry per channel; empty where nothing is known of them.
    numerical_aperture
        Numerical aperture of the objective.
    refractive_index
        Refractive index of the immersion medium.
    name
        Name of the image.
    acquired
        Date and time of acquisition (ISO 8601).
    """

    pixel_sides_um: tuple[float, float] | None = None
    z_step_um: float | None = None
    time_step_s: float | None = None
    position: Position | None = None
    channels: tuple[Channel, ...] = ()
    numerical_aperture: float | None = None
    refractive_index: float | None = None
    name: str = ""
    acquired: str = ""

    @property
    def pixel_size_um(self) -> float | None:
        """Side of a square pixel, µm; None if unknown, or if the pixels are not square."""
        sides = self.pixel_sides_um
        return sides[1] if sides is not None and are_square(sides) else None

    @property
    def wavelength_um(self) -> float | None:
        """Emission wavelength in vacuum if all channels share it, µm."""
        different = {channel.wavelength_um for channel in self.channels}
        return different.pop() if len(different) == 1 else None

    def for_channels(self, n_channels: int) -> ImageMetadata:
        """Drop the channels if an image has another number of them."""
        return self if len(self.channels) == n_channels else replace(self, channels=())

    def of_channel(self, channel: int) -> ImageMetadata:
        """Metadata of an image of one channel of this one, counted from 0."""
        return replace(self, channels=self.channels[channel : channel + 1])
