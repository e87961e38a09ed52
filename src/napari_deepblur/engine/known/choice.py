"""Choice of the known PSF that a request asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

__all__ = ["NO_CALIBRATION_IN_3D", "IdealPsf", "KnownChoice", "MeasuredPsf", "PsfImage"]


#: Why a calibration gives no 3-D blur, and what does.
NO_CALIBRATION_IN_3D = (
    "a calibration holds the PSFs of one plane, and not how light spreads along z: "
    "for a 3-D PSF give a z-stack of a bead as the PSF image"
)


def _path(value: Any) -> Any:
    return Path(value) if isinstance(value, str) else value


class IdealPsf(BaseModel):
    """The PSF of a perfect objective: see `ideal_blur`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["ideal"] = "ideal"


class PsfImage(BaseModel):
    """The PSF in an image: see `blur_from_psf`, and of a volume `blur_from_bead`.

    Attributes
    ----------
    image
        Image file, or an array of counts, shape (h, w); of a volume (d, h, w).
    pixel_size_um
        Side of a pixel of it, µm; by default what the file states.
    z_step_um
        From one plane of it to the next, µm; by default what the file states.
    name
        Name of an array, for people.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["psf"] = "psf"
    image: Annotated[Any, BeforeValidator(_path)]
    pixel_size_um: float | None = None
    z_step_um: float | None = None
    name: str = "PSF image"


class MeasuredPsf(BaseModel):
    """The PSFs of one acquisition of a calibration: see `blur_from_calibration`.

    Attributes
    ----------
    calibration
        Folder of a calibration, or a `CalibrationResult`.
    acquisition
        Number of the acquisition, from 0.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["calibration"] = "calibration"
    calibration: Annotated[Any, BeforeValidator(_path)]
    acquisition: int = 0


#: All kinds of known PSFs that can be asked for, told apart by `kind`.
KnownChoice = Annotated[IdealPsf | PsfImage | MeasuredPsf, Field(discriminator="kind")]
