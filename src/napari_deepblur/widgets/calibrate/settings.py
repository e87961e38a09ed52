"""What the user wishes of a calibration, as an evented model that the dock edits."""

from __future__ import annotations

from typing import Literal

from psygnal import EventedModel

__all__ = ["CalibrateSettings", "PlaneWish"]

#: Which plane of a stack: the one that the slider stands at, or the sharpest of each stack.
PlaneWish = Literal["current", "sharpest"]


class CalibrateSettings(EventedModel):
    """Choices of the dock "Calibrate from beads"; None stands for what was not typed.

    Attributes
    ----------
    plane
        Which plane of stacks.
    numerical_aperture
        NA of the detection objective.
    wavelength_um
        Emission wavelength in vacuum, µm.
    refractive_index
        Of the immersion medium.
    pixel_size_um
        Side of a pixel in the sample, µm.
    window
        Side of the PSFs, pixels.
    n_eigen_psfs
        K.
    saturation
        Counts at and above which pixels are saturated.
    """

    plane: PlaneWish = "sharpest"
    numerical_aperture: float | None = None
    wavelength_um: float | None = None
    refractive_index: float | None = None
    pixel_size_um: float | None = None
    window: float | None = None
    n_eigen_psfs: float | None = None
    saturation: float | None = None
