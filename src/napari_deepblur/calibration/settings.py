"""Settings of a calibration from beads."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from napari_deepblur.optics.settings import Optics

__all__ = ["CalibrationSettings", "PlaneChoice"]

#: Number of a stack's plane, or its sharpest.
PlaneChoice = int | Literal["sharpest"]


class CalibrationSettings(BaseModel):
    """Settings by which beads are looked for and fitted.

    Attributes
    ----------
    pixel_size_um
        Side of a pixel in the sample, µm; may be left out where `optics` are known.
    optics
        Optics of the microscope. If known, the family also fits images of other pixel size; if not,
        its cutoff is measured (see `measured_cutoff`) and it fits images by their pixel size.
    plane
        Number of the plane to take of each stack, or ``sharpest``: the one with the
        largest sum of squares, sought in each stack by itself.
    z_range
        First plane of each stack, and the one after the last: these are summed, and the PSF is
        that of the sum.
    window
        Side of the PSFs in pixels, odd; by default chosen by the beads' size and density.
    n_eigen_psfs
        Number of eigen-PSFs, K. By default as few as predict other beads as well as any number,
        and no more than hold 99 % of what varies over the field.
    saturation
        Counts at and above which pixels are saturated; by default read off each image.
    inflation
        Factor by which the admissible set is larger than the hull of the acquisitions'
        coefficients, about its centroid.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pixel_size_um: float | None = Field(default=None, gt=0, lt=1000)
    optics: Optics | None = None
    plane: PlaneChoice | None = None
    z_range: tuple[int, int] | None = None
    window: int | None = Field(default=None, ge=5)
    n_eigen_psfs: int | None = Field(default=None, ge=1, le=16)
    saturation: float | None = None
    inflation: float = Field(default=1.1, ge=1)

    @field_validator("window")
    @classmethod
    def _check_window(cls, value: int | None) -> int | None:
        if value is not None and value % 2 == 0:
            raise ValueError(f"window must be odd, got {value}: give {value + 1}")
        return value

    @model_validator(mode="after")
    def _check_together(self) -> CalibrationSettings:
        if self.plane is not None and self.z_range is not None:
            raise ValueError("plane and z_range exclude one another: give one of them")
        if self.pixel_size_um is None and self.optics is None:
            raise ValueError(
                "the pixel size is missing: give the side of a pixel in µm (pixel_size_um), or "
                "the optics"
            )
        known = None if self.optics is None else self.optics.pixel_size_um
        if None not in (known, self.pixel_size_um) and known != self.pixel_size_um:
            raise ValueError(
                f"pixel_size_um is {self.pixel_size_um:g}, but the optics have {known:g} µm: "
                "give one of them"
            )
        return self

    def screens_like(self, other: CalibrationSettings) -> bool:
        """Compare the settings that beads are screened by."""
        names = ("window", "saturation", "pixel_um")
        return all(getattr(self, name) == getattr(other, name) for name in names)

    @property
    def pixel_um(self) -> float:
        """Side of a pixel, µm, typed or of the optics."""
        size = self.pixel_size_um if self.optics is None else self.optics.pixel_size_um
        assert size is not None
        return size
