"""Headings of the dock's sections in short words, which read as one sentence."""

from __future__ import annotations

from napari_deepblur.widgets.deblur.readiness import Resolved
from napari_deepblur.widgets.deblur.view import BlurTable

__all__ = ["summary_of_image", "summary_of_psf"]


def summary_of_image(name: str, resolved: Resolved) -> str:
    """Name the layer and its optics, or what is to be done first."""
    if not name:
        return "open an image first"
    optics = resolved.optics
    if optics is None:
        return f"{name}: fill in"
    nm = 1000 * optics.wavelength_um
    return f"{name}, NA {optics.numerical_aperture:g}, {nm:.0f} nm, {optics.pixel_size_um:g} µm"


def summary_of_psf(table: BlurTable | None) -> str:
    """Say how far the PSF is known."""
    if table is None:
        return "not estimated yet"
    if table.known:
        return table.known
    return "in doubt" if table.concerns else "estimated"
