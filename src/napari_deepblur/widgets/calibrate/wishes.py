"""Choices of the user for a calibration, as an evented model that the dock edits."""

from __future__ import annotations

from typing import Literal

from psygnal import EventedModel

__all__ = ["CalibrationWishes", "PlaneWish"]

#: Plane of a stack: the one that the slider stands at, the sharpest of each stack, or a sum.
PlaneWish = Literal["current", "sharpest", "sum"]


class CalibrationWishes(EventedModel):
    """Choices of the dock "Calibrate from beads"; None stands for what was not typed.

    Attributes
    ----------
    plane
        Plane of stacks to take.
    first_plane, last_plane
        First and last plane of the sum, from 0, where planes are summed.
    numerical_aperture
        NA of the detection objective.
    wavelength_um
        Emission wavelength in vacuum, µm.
    refractive_index
        Refractive index of the immersion medium.
    pixel_size_um
        Side of a pixel in the sample, µm.
    window
        Side of the PSFs, pixels.
    n_eigen_psfs
        Number of eigen-PSFs, K.
    saturation
        Counts at and above which pixels are saturated.
    inflation
        Factor by which the admissible set is larger than the acquisitions' own.
    """

    plane: PlaneWish = "sharpest"
    first_plane: float | None = None
    last_plane: float | None = None
    numerical_aperture: float | None = None
    wavelength_um: float | None = None
    refractive_index: float | None = None
    pixel_size_um: float | None = None
    window: float | None = None
    n_eigen_psfs: float | None = None
    saturation: float | None = None
    inflation: float | None = None
