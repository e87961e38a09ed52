"""Notes that the user should read before trusting a calibration."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from napari_deepblur.calibration.bead_samples import BeadSamples
from napari_deepblur.calibration.beads import BeadStatus
from napari_deepblur.calibration.fit.extractor import Extraction
from napari_deepblur.calibration.fit.spline import FEWEST_PLACES

__all__ = ["notes_of"]

#: Fewer beads in an acquisition say little of how the blur varies.
_FEW = 20

#: Light on the window's border by the PSF's peak at which the window is too small.
_LIGHT_AT_BORDER = 0.02

#: Share of saturated beads worth a word, and of light that is background.
_MANY, _UNEVEN = 0.2, 0.1


def notes_of(samples: BeadSamples, extraction: Extraction) -> tuple[str, ...]:
    """Collect the notes on a calibration; none where all is well."""
    return (*_of_beads(samples), *_of_background(samples), *_of_window(extraction))


def _of_beads(samples: BeadSamples) -> Iterator[str]:
    fewest = min(len(part) for part in samples.measured)
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
    status = np.concatenate([table["status"].to_numpy(str) for table in samples.tables])
    saturated = np.count_nonzero(status == BeadStatus.SATURATED)
    if saturated > _MANY * len(status):
        yield (
            f"{saturated} of {len(status)} beads are saturated: they were left out; expose "
            "shorter to use them"
        )


def _of_background(samples: BeadSamples) -> Iterator[str]:
    light = np.concatenate([part.light for part in samples.pedestals])
    chance = np.concatenate([part.noise * part.n_pixels for part in samples.pedestals])
    weight = np.concatenate([1 / np.maximum(part.noise, 1e-12) ** 2 for part in samples.weighted])
    power = np.average(light**2 - chance**2, weights=weight)
    if power > _UNEVEN**2:
        yield (
            f"the background is uneven: what is left of it around the beads is {power**0.5:.0%} "
            "of a bead's light, and makes the PSF's tails wrong by as much; give a smaller "
            "window, or take the image on an even background"
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
