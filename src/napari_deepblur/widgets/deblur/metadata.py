"""What a result says of itself: what it is, and how it was made."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deepblur import __version__
from napari_deepblur.engine.blur import BlurEstimate
from napari_deepblur.engine.diagnostics import DeblurringCheck
from napari_deepblur.engine.volume.blur import VolumeBlurEstimate
from napari_deepblur.widgets.deblur.tasks import Estimated

__all__ = ["result_metadata"]


def result_metadata(
    kind: str,
    name: str,
    estimated: Estimated,
    check: DeblurringCheck | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Make the metadata of a layer that shows a result: what it is and how it was made."""
    blur = estimated.blur
    checked = {} if check is None else {"check": _check_metadata(check)}
    return {
        "deepblur": {
            "kind": kind,
            "version": __version__,
            **_maker(blur),
            "optics": blur.optics.model_dump(),
            "per": blur.per,
            "coefficient_names": list(estimated.names),
            "coefficients": _numbers(blur.coefficients),
            "std": _numbers(blur.std),
            "concerns": [list(reasons) for reasons in blur.concerns],
            "in_domain": blur.in_domain.tolist(),
            "known": estimated.known or None,
            "source": name,
            **checked,
            **more,
        }
    }


def _numbers(values: NDArray[np.float32]) -> list[Any]:
    """Convert to plain numbers, which any writer of metadata can write, with 7 digits."""
    numbers: list[Any] = np.asarray(values, float).round(7).tolist()
    return numbers


def _maker(blur: BlurEstimate | VolumeBlurEstimate) -> dict[str, Any]:
    """Tell what a blur was read with."""
    if isinstance(blur, BlurEstimate):
        return {"model": blur.model, "twin_resolved": blur.twin_resolved}
    known = blur.stack_optics
    return {"z_step_um": known.z_step_um, "light_sheet_fwhm_um": known.light_sheet_fwhm_um}


def _check_metadata(check: DeblurringCheck) -> dict[str, Any]:
    return {
        "residual": _numbers(check.residual),
        "border_ringing": _numbers(check.border_ringing),
        "flux_moved": _numbers(check.flux_moved),
        # Significant digits: its unit is the image's, whatever that is.
        "noise_deviation": [float(f"{value:.6g}") for value in check.noise_deviation],
        "residual_of_bright": _numbers(check.residual_of_bright),
        "unsupported": _numbers(check.unsupported),
        "concerns": [list(reasons) for reasons in check.concerns],
    }
