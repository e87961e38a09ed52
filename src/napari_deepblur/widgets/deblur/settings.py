"""Choices of the user, as an evented model that the dock edits."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Literal

from psygnal import EventedModel

from napari_deepblur.engine.blur import Scope
from napari_deepblur.engine.devices import Device
from napari_deepblur.engine.models import DEFAULT_MODEL

__all__ = ["CompareContrast", "DeblurSettings", "PsfSource"]

#: Where the PSF comes from: read off the image, off another layer, or one of the known ones.
PsfSource = Literal["estimate", "layer", "ideal", "psf", "calibration"]

#: Whether the observed image is compared at the contrast of the deblurred one, or at its own.
CompareContrast = Literal["equal", "own"]


class DeblurSettings(EventedModel):
    """Choices of the dock; None stands for an optical value that was not typed.

    Attributes
    ----------
    model
        Name of a bundled model, or a model's folder.
    per
        Whether each plane gets its own blur, or the stack one, of planes or in 3-D; None for what
        is proposed.
    focus_series
        Whether the layer is a focus series of one thin object.
    residual_layer
        Whether deblurring also adds a layer of what the result does not explain.
    device
        Where the networks run.
    compare_contrast
        Contrast of the observed image while it is compared with the deblurred one.
    numerical_aperture
        NA of the detection objective.
    wavelength_um
        Emission wavelength in vacuum, µm.
    refractive_index
        Refractive index of the immersion medium.
    pixel_size_um
        Side of a pixel in the sample, µm.
    z_step_um
        Distance from one plane of a stack to the next, µm.
    light_sheet_fwhm_um
        Full width at half maximum of the light sheet, µm; None for widefield.
    psf_source
        Where the PSF comes from.
    blur_layer
        `unique_id` of the layer whose blur is used; None for the topmost that has one.
    blur_plane
        Number of its plane, or time point, whose blur serves all planes; None where each has its
        own.
    psf_image
        Path of a PSF image, or `unique_id` of the layer that holds one.
    psf_pixel_size_um
        Side of a pixel of the PSF image, µm; None for what it states.
    psf_z_step_um
        From one of its planes to the next, µm; None for what it states.
    calibration
        Path of a calibration's folder; None, or `known_wish.MADE`, for the one that was just made.
    acquisition
        Number of the acquisition of the calibration.
    """

    model: str = DEFAULT_MODEL
    per: Scope | None = None
    focus_series: bool = False
    residual_layer: bool = False
    device: Device = "auto"
    compare_contrast: CompareContrast = "equal"
    numerical_aperture: float | None = None
    wavelength_um: float | None = None
    refractive_index: float | None = None
    pixel_size_um: float | None = None
    z_step_um: float | None = None
    light_sheet_fwhm_um: float | None = None
    psf_source: PsfSource = "estimate"
    blur_layer: Hashable = None
    blur_plane: int | None = None
    psf_image: Hashable = None
    psf_pixel_size_um: float | None = None
    psf_z_step_um: float | None = None
    calibration: Hashable = None
    acquisition: int = 0
