"""Names of the optical values in forms and messages."""

from __future__ import annotations

__all__ = ["OPTICS_FIELDS"]

#: The fields of `Optics`, in the order in which they are asked for, and what they are called.
OPTICS_FIELDS = {
    "numerical_aperture": "Numerical aperture",
    "wavelength_um": "Wavelength (µm)",
    "refractive_index": "Refractive index",
    "pixel_size_um": "Pixel size (µm)",
}
