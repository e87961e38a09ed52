"""What to know before one trusts a calibration, in words."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from napari_deepblur.calibration.bead_survey import BeadSurvey
from napari_deepblur.calibration.fit.extractor import Extraction
from napari_deepblur.calibration.fit.spline import FEWEST_PLACES

__all__ = ["notes_of"]

#: Fewer beads in an acquisition say little of how the blur varies.
_FEW = 20

#: Light on the window's border by the PSF's peak at which the window is too small.
_LIGHT_AT_BORDER = 0.02

#: Share of saturated beads worth a word.
_MANY = 0.2


def notes_of(survey: BeadSurvey, extraction: Extraction) -> tuple[str, ...]:
    """Sentences for the user; none where nothing is to be said."""
    return (*_of_beads(survey), *_of_window(extraction))


def _of_beads(survey: BeadSurvey) -> Iterator[str]:
    fewest = min(len(part) for part in survey.measured)
    if fewest < FEWEST_PLACES:
        yield (
            f"only {_beads(fewest)} could be used: the PSF is taken to be the same over the "
            "whole field; take an image with 20 or more beads to see how it varies"
        )
    elif fewest < _FEW:
        yield (
            f"only {_beads(fewest)} could be used: how the PSF varies over the field is known "
            "roughly; 100 or more are better"
        )
    status = np.concatenate([table["status"].to_numpy(str) for table in survey.tables])
    saturated = np.count_nonzero(status == "saturated")
    if saturated > _MANY * len(status):
        yield (
            f"{saturated} of {len(status)} beads are saturated: they were left out; expose "
            "shorter to use them"
        )


def _of_window(extraction: Extraction) -> Iterator[str]:
    weights = np.einsum("tp,pkyx->k", extraction.coefficients, extraction.maps)
    psf = extraction.eigen_psfs.decode(weights)
    border = np.concatenate([psf[0], psf[-1], psf[:, 0], psf[:, -1]])
    if border.mean() > _LIGHT_AT_BORDER * psf.max():
        yield (
            f"the PSF reaches the border of its window of {len(psf)} pixels: ask for a larger "
            "window if the beads are far enough apart"
        )


def _beads(n: int) -> str:
    return f"{n} bead" if n == 1 else f"{n} beads"
