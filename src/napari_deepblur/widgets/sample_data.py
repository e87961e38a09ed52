"""Samples of File > Open Sample: images with optics that the dock can read."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from napari_deepblur.optics.settings import Optics
from napari_deepblur.samples import SAMPLES
from napari_deepblur.widgets.tasks.waiting import while_the_window_draws

__all__ = ["bead_field", "lymphocyte", "podosomes", "spheroid"]

LayerData = tuple[Any, dict[str, Any], str]


def podosomes() -> list[LayerData]:
    """Draw a widefield image of podosomes, with known blur."""
    return while_the_window_draws(partial(_layers, "podosomes"))


def spheroid() -> list[LayerData]:
    """Draw a light-sheet stack of a spheroid, with known blur in each plane."""
    return while_the_window_draws(partial(_layers, "spheroid", microscope="light sheet"))


def lymphocyte() -> list[LayerData]:
    """Draw a widefield z-stack of a small cell, with one known 3-D blur."""
    return while_the_window_draws(partial(_layers, "lymphocyte"))


def bead_field() -> list[LayerData]:
    """Draw a field of beads whose blur changes over the field; some of them are bad."""
    return while_the_window_draws(_beads)


def _beads() -> list[LayerData]:
    from napari_deepblur.samples.bead_field import draw_bead_field

    beads = draw_bead_field(shape=(768, 768), n_beads=140, peak_snr=40, share_bad=0.1, seed=3)
    # With these the field's cutoff is NA · pixel / λ = 0.25.
    optics = Optics(numerical_aperture=1.3, wavelength_um=0.52, pixel_size_um=0.1)
    arguments = {
        "name": "bead field",
        "scale": [optics.pixel_size_um] * 2,
        "units": ["micrometer"] * 2,
        "axis_labels": ["y", "x"],
        # The brightest are far brighter than most; most pixels are background.
        "contrast_limits": tuple(np.percentile(beads.image, (50, 99.9)).tolist()),
        "metadata": {"deepblur": {"kind": "sample", "optics": optics.model_dump()}},
    }
    return [(beads.image, arguments, "image")]


def _layers(name: str, *, microscope: str = "widefield") -> list[LayerData]:
    sample = SAMPLES[name]()
    optics = sample.optics
    low, high = float(sample.image.min()), float(sample.image.max())
    arguments = {
        "name": sample.name,
        "scale": list(sample.scale_um),
        "units": ["micrometer"] * len(sample.axes),
        "axis_labels": list(sample.axes.lower()),
        "contrast_limits": (low, high),
        "metadata": {
            "deepblur": {
                "kind": "sample",
                "microscope": microscope,
                "optics": optics.model_dump(),
                "true_coefficients": sample.coefficients,
            }
        },
    }
    return [(sample.image, arguments, "image")]
