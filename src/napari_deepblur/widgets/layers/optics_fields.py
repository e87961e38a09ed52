"""Names of the optical values in forms and messages."""

from __future__ import annotations

__all__ = [
    "AS_LAST_TIME",
    "LABELS",
    "OF_THE_OBJECTIVE",
    "OPTICS_FIELDS",
    "STACK_FIELDS",
    "with_labels",
]

#: Source of a value that was remembered from an earlier day.
AS_LAST_TIME = "as last time"

#: The fields of `Optics`, in the order in which they are asked for, and what they are called.
OPTICS_FIELDS = {
    "numerical_aperture": "Numerical aperture",
    "wavelength_um": "Wavelength (µm)",
    "refractive_index": "Refractive index",
    "pixel_size_um": "Pixel size (µm)",
}

#: Those that are the objective's, and so the same in all channels.
OF_THE_OBJECTIVE = ("numerical_aperture", "refractive_index")

#: Values of a z-stack, the same.
STACK_FIELDS = {
    "z_step_um": "Z step (µm)",
    "light_sheet_fwhm_um": "Light sheet (µm)",
}

#: What all of them are called.
LABELS = OPTICS_FIELDS | STACK_FIELDS


def with_labels(message: str) -> str:
    """Put the labels of the form in place of the names of fields in a message of the engine."""
    for name, label in OPTICS_FIELDS.items():
        message = message.replace(name, label.removesuffix(" (µm)").lower())
    return f"{message[:1].upper()}{message[1:]}"
