"""Sentences of the dock about the end of a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_deepblur.widgets.deblur.estimates import flagged_planes

if TYPE_CHECKING:
    from napari_deepblur.engine.blur import BlurEstimate
    from napari_deepblur.engine.diagnostics import DeblurringCheck
    from napari_deepblur.engine.volume.blur import VolumeBlurEstimate

__all__ = ["deblurred_text", "doubts_about_blur", "doubts_about_image"]


def doubts_about_blur(blur: BlurEstimate | VolumeBlurEstimate) -> str:
    """Sentence on how many planes' or volumes' blurs are flagged; empty if none."""
    n_flagged, n_planes = len(flagged_planes(blur)), len(blur.coefficients)
    if not n_flagged:
        return ""
    if n_planes == 1:
        return "The estimate may be wrong, see below"
    planes = "time points" if blur.per == "volume" else "planes"
    return f"{n_flagged} of {n_planes} {planes} {_is(n_flagged)} flagged, see below"


def doubts_about_image(check: DeblurringCheck | None) -> str:
    """Sentence on how many deblurred planes are flagged; empty if none or not checked."""
    if check is None:
        return ""
    n_flagged, n_planes = sum(map(bool, check.concerns)), len(check.concerns)
    if not n_flagged:
        return ""
    if n_planes == 1:
        return "The deblurred image may be wrong, see below"
    return f"{n_flagged} of {n_planes} deblurred planes may be wrong, see below"


def _is(n: int) -> str:
    return "is" if n == 1 else "are"


def deblurred_text(name: str, check: DeblurringCheck | None) -> str:
    """Sentence that an image was deblurred, with its residual where it was checked."""
    if check is None:
        return f"Deblurred {name!r}."
    which = "residual" if len(check.residual) == 1 else "median residual"
    return f"Deblurred {name!r}, {which} {float(np.nanmedian(check.residual)):.1f} × noise."
