"""Blind deblurring of SPIM and widefield images: read the blur off the image, remove it.

Importing this package loads neither torch nor Qt nor napari; its names load what they need.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_deepblur.openmp import let_waiting_threads_sleep

if TYPE_CHECKING:
    from napari_deepblur.calibration.files import load_calibration
    from napari_deepblur.calibration.result import CalibrationResult
    from napari_deepblur.engine.blur import BlurEstimate
    from napari_deepblur.engine.blur_figures import write_figures
    from napari_deepblur.engine.blur_file import load_blur
    from napari_deepblur.engine.calibrate import calibrate
    from napari_deepblur.engine.deblur import deblur
    from napari_deepblur.engine.diagnostics import (
        DeblurringCheck,
        check_deblurring,
        residual_image,
    )
    from napari_deepblur.engine.estimate import estimate_blur
    from napari_deepblur.engine.known.blurs import (
        blur_from_calibration,
        blur_from_psf,
        ideal_blur,
    )
    from napari_deepblur.engine.models import Model, available_models, load_model
    from napari_deepblur.engine.volume.bead import blur_from_bead
    from napari_deepblur.engine.volume.blur import VolumeBlurEstimate
    from napari_deepblur.engine.volume.halves import PlaneHalves, estimate_halves
    from napari_deepblur.optics.settings import Optics

__all__ = [
    "BlurEstimate",
    "CalibrationResult",
    "DeblurringCheck",
    "Model",
    "Optics",
    "PlaneHalves",
    "VolumeBlurEstimate",
    "available_models",
    "blur_from_bead",
    "blur_from_calibration",
    "blur_from_psf",
    "calibrate",
    "check_deblurring",
    "deblur",
    "estimate_blur",
    "estimate_halves",
    "ideal_blur",
    "load_blur",
    "load_calibration",
    "load_model",
    "residual_image",
    "write_figures",
]

__version__ = "0.1.0"

_HOMES = {
    "BlurEstimate": "engine.blur",
    "CalibrationResult": "calibration.result",
    "DeblurringCheck": "engine.diagnostics",
    "Model": "engine.models",
    "Optics": "optics.settings",
    "PlaneHalves": "engine.volume.halves",
    "VolumeBlurEstimate": "engine.volume.blur",
    "available_models": "engine.models",
    "blur_from_bead": "engine.volume.bead",
    "blur_from_calibration": "engine.known.blurs",
    "blur_from_psf": "engine.known.blurs",
    "calibrate": "engine.calibrate",
    "check_deblurring": "engine.diagnostics",
    "deblur": "engine.deblur",
    "estimate_blur": "engine.estimate",
    "estimate_halves": "engine.volume.halves",
    "ideal_blur": "engine.known.blurs",
    "load_blur": "engine.blur_file",
    "load_calibration": "calibration.files",
    "load_model": "engine.models",
    "residual_image": "engine.diagnostics",
    "write_figures": "engine.blur_figures",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    let_waiting_threads_sleep()  # most names load torch sooner or later
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
