"""Find the known blur that a request asks for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_deepblur.calibration.files import load_calibration
from napari_deepblur.engine.blur import BlurEstimate
from napari_deepblur.engine.known.blurs import blur_from_calibration, blur_from_psf, ideal_blur
from napari_deepblur.engine.known.choice import IdealPsf, KnownChoice, PsfImage
from napari_deepblur.engine.known_optics import merge_optics, missing_optics, optics_of, stated
from napari_deepblur.engine.request import Source

if TYPE_CHECKING:
    from napari_deepblur.calibration.result import CalibrationResult
    from napari_deepblur.optics.settings import Optics

__all__ = ["find_known_blur"]


def find_known_blur(choice: KnownChoice, source: Source) -> BlurEstimate:
    """Make the blur of a known PSF for an image.

    That of a calibration is at the calibration's own pixels.

    Parameters
    ----------
    choice
        The known PSF.
    source
        The image. What it does not say of its optics, a calibration does.

    Raises
    ------
    ValueError
        If optics are missing or impossible, and all that `blur_from_psf` and
        `blur_from_calibration` raise.
    """
    if isinstance(choice, IdealPsf):
        return ideal_blur(source.optics)
    if isinstance(choice, PsfImage):
        return blur_from_psf(
            choice.image, choice.pixel_size_um, optics=source.optics, name=choice.name
        )
    folder = choice.calibration if isinstance(choice.calibration, Path) else None
    result = choice.calibration if folder is None else load_calibration(folder)
    optics = _optics_of(result, source).model_copy(update={"pixel_size_um": result.pixel_size_um})
    name = "calibration" if folder is None else folder.name
    return blur_from_calibration(result, choice.acquisition, optics=optics, name=name)


def _optics_of(calibration: CalibrationResult, source: Source) -> Optics:
    """Optics of an image, of which the calibration says what the image does not."""
    said = {name: one for name, one in source.known.items() if one.source != "default"}
    known = merge_optics(said, stated("calibration", calibration.optics))
    return source.optics if missing_optics(known) else optics_of(known)
