"""Sentences of the dock about the end of a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_deepblur.engine.given_blur import in_other_light
from napari_deepblur.widgets.deblur.estimates import flagged_planes
from napari_deepblur.widgets.deblur.known_wish import ReusedBlur

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_deepblur.engine.blur import BlurEstimate
    from napari_deepblur.engine.diagnostics import DeblurringCheck
    from napari_deepblur.engine.volume.blur import VolumeBlurEstimate
    from napari_deepblur.widgets.deblur.readiness import Resolved
    from napari_deepblur.widgets.deblur.results import LayerResult
    from napari_deepblur.widgets.deblur.settings import PsfSource
    from napari_deepblur.widgets.deblur.tasks import Estimated

__all__ = [
    "ASKS_WHICH_PSF",
    "deblurred_text",
    "doubts_about_blur",
    "doubts_about_image",
    "estimated_text",
    "instead_text",
    "origin_text",
    "question_text",
]

_TAKES: dict[PsfSource, str] = {
    "layer": "that of the other layer",
    "ideal": "the ideal PSF",
    "psf": "the PSF image",
    "calibration": "that of the calibration",
}

#: What a click on Deblur is answered while a question is open.
ASKS_WHICH_PSF = "Choose the PSF first: the question stands above the buttons."


def origin_text(layer: Image, result: LayerResult) -> str:
    """Line on where a layer's blur comes from; empty where it was read off the layer itself."""
    blur = result.estimated.blur
    parts = []
    if blur.source and blur.source != layer.name:
        parts.append(f"Read off {blur.source!r}")
    if result.file is not None:
        parts.append(f"from {result.file.name}")
    told = ", ".join(parts)
    light = in_other_light(blur)
    if light:
        assert blur.read_at_um is not None
        nm = f"{1000 * blur.read_at_um:.0f} nm"
        told = ", ".join([*parts, f"at {nm}"]) + f": {light}"
    return f"{told[:1].upper()}{told[1:]}"


def estimated_text(name: str, estimated: Estimated) -> str:
    """Sentence that a layer has a blur now."""
    if isinstance(estimated.choice, ReusedBlur):
        return f"{name!r} has the blur of {estimated.blur.source!r}."
    if estimated.known:
        return f"The blur of {name!r} is known: {estimated.known}."
    return f"Estimated the blur of {name!r}."


def instead_text(wanted: Resolved) -> str:
    """Sentence on the PSF that Deblur takes in place of one of other settings."""
    if wanted.known.source == "estimate":
        return "Deblur estimates the PSF anew"
    return f"Deblur takes {_TAKES[wanted.known.source]}"


def question_text(blur: BlurEstimate | VolumeBlurEstimate) -> str:
    """Beginning of the question with which PSF to go on; the buttons end it."""
    n_rows = len(blur.coefficients)
    if blur.per == "volume":
        image = "The stack does" if n_rows == 1 else "Most time points do"
    else:
        image = "The image does" if n_rows == 1 else "Most planes do"
    return f"{image} not tell the PSF. Deblur with"


def doubts_about_blur(blur: BlurEstimate | VolumeBlurEstimate) -> str:
    """Sentence on how many planes' or volumes' blurs are flagged; empty if none."""
    n_flagged, n_planes = len(flagged_planes(blur)), len(blur.coefficients)
    if not n_flagged:
        return ""
    if n_flagged == n_planes:
        return "It is in doubt: see the section PSF."
    planes = "time points" if blur.per == "volume" else "planes"
    return f"{n_flagged} of {n_planes} {planes} {_is(n_flagged)} in doubt: see the section PSF."


def doubts_about_image(check: DeblurringCheck | None) -> str:
    """Sentence on how many deblurred planes are flagged; empty if none or not checked."""
    if check is None:
        return ""
    n_flagged, n_planes = sum(map(bool, check.concerns)), len(check.concerns)
    if not n_flagged:
        return ""
    if n_flagged == n_planes:
        return "It is in doubt: see the section Deblur."
    return f"{n_flagged} of {n_planes} planes {_is(n_flagged)} in doubt: see the section Deblur."


def _is(n: int) -> str:
    return "is" if n == 1 else "are"


def deblurred_text(name: str, check: DeblurringCheck | None) -> str:
    """Sentence that an image was deblurred, with its residual where it was checked."""
    if check is None:
        return f"Deblurred {name!r}."
    which = "residual" if len(check.residual) == 1 else "median residual"
    return f"Deblurred {name!r}, {which} {float(np.nanmedian(check.residual)):.1f} × noise."
