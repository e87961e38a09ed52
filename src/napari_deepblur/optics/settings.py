"""Optics of a microscope, and how its pixels sample the optical blur."""

from __future__ import annotations

import math
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from napari_deepblur.errors import SamplingError

__all__ = ["CANONICAL_CUTOFF", "NOTHING_LEFT_ABOVE", "UNDERSAMPLED_ABOVE", "Optics", "Sampling"]

#: Cutoff NA · pixel / λ at which networks see images (cycles per pixel): Nyquist sampling.
CANONICAL_CUTOFF = 0.25

_OVERSAMPLED_BELOW = 0.02
_ROUNDING = 1e-6
UNDERSAMPLED_ABOVE = 0.3

#: Above this cutoff a thin sample has no blur left: a pixel is larger than λ / 2NA.
NOTHING_LEFT_ABOVE = 0.5

#: A sheet of some µm blurs over several such pixels: what the family light-sheet is simulated for.
_SHEETS_UP_TO = 0.9


class Sampling(StrEnum):
    """Size of the pixels beside that of the optical blur."""

    TOO_FINE = "pixels too fine"
    WELL_SAMPLED = "well sampled"
    UNDERSAMPLED = "undersampled"
    TOO_COARSE = "pixels too coarse"

    @property
    def is_refused(self) -> bool:
        """True if no blur can be estimated from such pixels."""
        return self in (Sampling.TOO_FINE, Sampling.TOO_COARSE)


class Optics(BaseModel):
    """Numerical aperture, emission wavelength, pixel size and refractive index.

    Attributes
    ----------
    numerical_aperture
        NA of the detection objective; smaller than `refractive_index`.
    wavelength_um
        Emission wavelength in vacuum, µm.
    pixel_size_um
        Side of a pixel in the sample, µm.
    refractive_index
        Refractive index of the immersion medium.

    Raises
    ------
    pydantic.ValidationError
        (a `ValueError`) for values that no light microscope has, such as a
        wavelength in nanometres.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    numerical_aperture: float
    wavelength_um: float
    pixel_size_um: float
    refractive_index: float = 1.518

    @field_validator("numerical_aperture")
    @classmethod
    def _check_aperture(cls, value: float) -> float:
        if not 0 < value < 2:
            raise ValueError(f"numerical_aperture must lie between 0 and 2, got {value:g}")
        return value

    @field_validator("wavelength_um")
    @classmethod
    def _check_wavelength(cls, value: float) -> float:
        if 200 <= value <= 2000:
            raise ValueError(
                f"wavelength_um is in micrometres, got {value:g}: "
                f"if these are nanometres, give {value / 1000:g}"
            )
        if not 0.2 <= value <= 2:
            raise ValueError(f"wavelength_um must lie between 0.2 and 2 µm, got {value:g}")
        return value

    @field_validator("pixel_size_um")
    @classmethod
    def _check_pixel(cls, value: float) -> float:
        if not 0 < value < 1000:
            raise ValueError(
                f"pixel_size_um must be a positive number of micrometres, got {value:g}: "
                "give the side of one pixel in the sample, e.g. 0.065"
            )
        return value

    @model_validator(mode="after")
    def _check_medium(self) -> Optics:
        if not 1 <= self.refractive_index < 3:
            raise ValueError(
                f"refractive_index must lie between 1 and 3, got {self.refractive_index:g}"
            )
        if self.numerical_aperture >= self.refractive_index:
            raise ValueError(
                f"numerical_aperture ({self.numerical_aperture:g}) must be smaller than "
                f"refractive_index ({self.refractive_index:g}): check both (air 1.0, "
                "water 1.33, oil 1.518)"
            )
        return self

    def moved(
        self,
        wavelength_um: float | None = None,
        pixel_size_um: float | None = None,
        *,
        within: float = 0.01,
    ) -> Optics:
        """Optics of another channel, or other pixels, of the same objective.

        Parameters
        ----------
        wavelength_um, pixel_size_um
            The other values, µm; None for the same.
        within
            Relative difference up to which two values are the same.
        """
        wanted = {"wavelength_um": wavelength_um, "pixel_size_um": pixel_size_um}
        changes = {
            name: value
            for name, value in wanted.items()
            if value is not None and not math.isclose(value, getattr(self, name), rel_tol=within)
        }
        return Optics.model_validate(self.model_dump() | changes) if changes else self

    @property
    def cutoff(self) -> float:
        """Pupil radius NA · pixel / λ in cycles per pixel; the OTF ends at twice this."""
        return self.numerical_aperture * self.pixel_size_um / self.wavelength_um

    @property
    def sampling(self) -> Sampling:
        """Size of the pixels beside that of the optical blur, by `cutoff`."""
        if self.cutoff < _OVERSAMPLED_BELOW:
            return Sampling.TOO_FINE
        if self.cutoff > NOTHING_LEFT_ABOVE:
            return Sampling.TOO_COARSE
        if self.cutoff > UNDERSAMPLED_ABOVE:
            return Sampling.UNDERSAMPLED
        return Sampling.WELL_SAMPLED

    @property
    def sampling_text(self) -> str:
        """`sampling` in words for the user, without a full stop."""
        pixel, cutoff = f"the pixels ({self.pixel_size_um:g} µm)", self.cutoff
        width_um = self.wavelength_um / self.numerical_aperture
        match self.sampling:
            case Sampling.TOO_FINE:
                return (
                    f"{pixel} are over ten times finer than the optical blur needs (cutoff "
                    f"{cutoff:.3g} < {_OVERSAMPLED_BELOW} cycles/pixel): check the unit of the "
                    "pixel size, or bin the image"
                )
            case Sampling.TOO_COARSE:
                text = (
                    f"{pixel} are larger than the optical blur (λ / 2NA = {width_um / 2:.3g} µm; "
                    f"cutoff {cutoff:.2f} > {NOTHING_LEFT_ABOVE} cycles/pixel): there is no blur "
                    "left to estimate. Check the units of pixel size and wavelength, or use an "
                    "image with smaller pixels"
                )
                if cutoff > _SHEETS_UP_TO:
                    return text
                return (
                    f"{text}. A light sheet may blur over several such pixels: no bundled model "
                    "reads that"
                )
            case Sampling.UNDERSAMPLED:
                return (
                    f"undersampled: {pixel} are coarse for these optics, up to "
                    f"{UNDERSAMPLED_ABOVE * width_um:.2g} µm would be fine (cutoff {cutoff:.2f} > "
                    f"{UNDERSAMPLED_ABOVE} cycles/pixel). Fine detail is aliased; the estimate is "
                    "less reliable"
                )
            case _:
                return f"well sampled: cutoff NA · pixel / λ = {cutoff:.3f} cycles/pixel"

    def suits_wide_blur(self, coarsest_cutoff: float) -> bool:
        """Tell whether coarse pixels are no fault, since the blur is wider than that of a pupil.

        Parameters
        ----------
        coarsest_cutoff
            Largest cutoff at which a model reads blurs; only those beyond
            `NOTHING_LEFT_ABOVE` are of wide blurs.
        """
        is_coarse = UNDERSAMPLED_ABOVE < self.cutoff <= coarsest_cutoff * (1 + _ROUNDING)
        return is_coarse and coarsest_cutoff > NOTHING_LEFT_ABOVE

    def require_resolved_blur(self, coarsest_cutoff: float = NOTHING_LEFT_ABOVE) -> None:
        """Refuse pixels from which no blur can be estimated.

        Parameters
        ----------
        coarsest_cutoff
            As for `suits_wide_blur`.

        Raises
        ------
        SamplingError
            If `cutoff` > 0.5 cycles per pixel, or < 0.02, unless the blur is wider.
        """
        if self.sampling.is_refused and not self.suits_wide_blur(coarsest_cutoff):
            raise SamplingError(self.sampling_text)
