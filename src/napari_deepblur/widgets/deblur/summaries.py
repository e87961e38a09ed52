"""Headings of the dock's sections in short words, which read as one sentence."""

from __future__ import annotations

from napari_deepblur.widgets.deblur.readiness import Resolved
from napari_deepblur.widgets.deblur.view import BlurTable

__all__ = ["summary_of_image", "summary_of_psf"]

#: Names of the PSFs that can be chosen, before they were made.
_CHOSEN = {
    "layer": "that of another layer",
    "ideal": "ideal PSF",
    "psf": "PSF image",
    "calibration": "calibration",
}


def summary_of_image(name: str, resolved: Resolved) -> str:
    """Name the layer and its optics, or what is to be done first."""
    if not name:
        return "open an image first"
    optics = resolved.optics
    if optics is None:
        return f"{name}: fill in"
    nm = 1000 * optics.wavelength_um
    return f"{name}, NA {optics.numerical_aperture:g}, {nm:.0f} nm, {optics.pixel_size_um:g} µm"


def summary_of_psf(table: BlurTable | None, resolved: Resolved | None) -> str:
    """Name the PSF that Deblur takes, and say how far it is known."""
    source = "estimate" if resolved is None else resolved.known.source
    if table is None or table.outdated:
        if source in _CHOSEN:
            return _CHOSEN[source]
        return "not estimated yet" if table is None else "to be estimated anew"
    if table.known:
        return table.known
    return "in doubt" if table.concerns else "estimated"
