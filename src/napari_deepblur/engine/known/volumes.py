"""3-D blurs whose PSF is known: that of a perfect objective, or of a z-stack of one bead."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.axes import SMALLEST_SIDE
from napari_deepblur.engine.events import Job
from napari_deepblur.engine.known.choice import (
    NO_CALIBRATION_IN_3D,
    IdealPsf,
    KnownChoice,
    PsfImage,
)
from napari_deepblur.engine.volume.blur import VolumeBlurEstimate
from napari_deepblur.engine.volume.stack_optics import StackOptics
from napari_deepblur.errors import ImageError
from napari_deepblur.io import read_image

if TYPE_CHECKING:
    from napari_deepblur.engine.request import Source
    from napari_deepblur.optics.settings import Optics

__all__ = ["ideal_volume_blur", "known_volume_blur_job"]


def ideal_volume_blur(
    optics: Optics, z_step_um: float | None, light_sheet_fwhm_um: float | None = None
) -> VolumeBlurEstimate:
    """Make the 3-D blur of a perfect objective: diffraction and the camera's pixel alone.

    Parameters
    ----------
    optics
        Optics of the stack.
    z_step_um
        From one plane to the next, µm.
    light_sheet_fwhm_um
        Full width at half maximum of the light sheet, µm; None for widefield.

    Raises
    ------
    ValueError
        If the z step or the sheet's width is missing or no length.
    SamplingError
        If the pixels of the stack are too coarse or too fine.
    """
    if z_step_um is None:
        raise ValueError("a 3-D PSF needs z_step_um: give the distance of the planes in µm")
    optics.require_resolved_blur()
    known = StackOptics(optics, z_step_um, light_sheet_fwhm_um, broadening_px=0.0)
    none = np.zeros((1, len(known.noll_indices)), np.float32)
    return VolumeBlurEstimate(none, none, known, known_as="ideal 3-D PSF")


def known_volume_blur_job(
    choice: KnownChoice, source: Source, light_sheet_fwhm_um: float | None = None
) -> Job[VolumeBlurEstimate]:
    """Make the 3-D blur of a known PSF for a stack, as a job.

    Parameters
    ----------
    choice
        The known PSF; a PSF image is a z-stack of one bead, or a computed 3-D PSF.
    source
        The stack.
    light_sheet_fwhm_um
        Full width at half maximum of the light sheet, µm; None for widefield.

    Raises
    ------
    ImageError
        If a PSF image is no z-stack, shows no bead, or nobody states its voxels.
    ValueError
        If optics are missing or impossible, or the PSF is one of a calibration.
    """
    if isinstance(choice, IdealPsf):
        return ideal_volume_blur(source.optics, source.z_step_um, light_sheet_fwhm_um)
    if isinstance(choice, PsfImage):
        return (yield from _bead_job(choice, source, light_sheet_fwhm_um))
    raise ValueError(NO_CALIBRATION_IN_3D)


def _widened(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Put background around a small stack: computed PSFs are often smaller than an image may be."""
    missing = [max(0, SMALLEST_SIDE - side) for side in pixels.shape[1:]]
    border = np.concatenate([pixels[:, [0, -1]].ravel(), pixels[:, :, [0, -1]].ravel()])
    around = [(0, 0), *((n // 2, n - n // 2) for n in missing)]
    return np.pad(pixels, around, constant_values=np.median(border))


def _bead_job(
    choice: PsfImage, source: Source, light_sheet_fwhm_um: float | None
) -> Job[VolumeBlurEstimate]:
    """Fit a pupil to a z-stack of one bead, and bring it to the voxels of another stack."""
    from napari_deepblur.engine.volume.bead import blur_from_bead_job

    name, pixels = choice.name, choice.image
    pixel_um, step_um = choice.pixel_size_um, choice.z_step_um
    if isinstance(pixels, Path):
        file = read_image(pixels)
        name, pixels = pixels.name, file.data
        pixel_um = pixel_um or file.metadata.pixel_size_um
        step_um = step_um or file.metadata.z_step_um
    if np.ndim(pixels) != 3 or len(pixels) < 2:
        raise ImageError(
            f"{name} is no z-stack, and one plane of a PSF does not tell how light spreads along "
            "z: give a z-stack of a bead, or leave out per='volume'"
        )
    if pixel_um is None or step_um is None:
        raise ImageError(
            f"{name} does not say its pixel size and z step: give them in µm as pixel_size_um "
            "(--psf-pixel-size) and z_step_um (--psf-z-step)"
        )
    optics = source.optics
    blur = yield from blur_from_bead_job(
        _widened(np.asarray(pixels, np.float32)),
        optics=optics.model_copy(update={"pixel_size_um": pixel_um}),
        z_step_um=abs(step_um),
        axes="ZYX",
        light_sheet_fwhm_um=light_sheet_fwhm_um,
    )
    blur = replace(blur, known_as=f"{name}, voxels of {abs(step_um):g} × {pixel_um:g} µm")
    step = source.z_step_um
    return blur.at(
        pixel_size_um=optics.pixel_size_um, z_step_um=None if step is None else abs(step)
    )
