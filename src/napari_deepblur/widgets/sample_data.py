"""The samples of File > Open Sample: images with optics that the dock can read."""

from __future__ import annotations

from typing import Any

from napari_deepblur.samples import SAMPLES

__all__ = ["podosomes", "spheroid"]

LayerData = tuple[Any, dict[str, Any], str]


def podosomes() -> list[LayerData]:
    """Widefield image of podosomes, with known blur."""
    return _layers("podosomes")


def spheroid() -> list[LayerData]:
    """Light-sheet stack of a spheroid, with known blur in each plane."""
    return _layers("spheroid")


def _layers(name: str) -> list[LayerData]:
    sample = SAMPLES[name]()
    optics = sample.optics
    steps = {"Z": sample.z_step_um, "Y": optics.pixel_size_um, "X": optics.pixel_size_um}
    low, high = float(sample.image.min()), float(sample.image.max())
    arguments = {
        "name": sample.name,
        "scale": [steps[axis] for axis in sample.axes],
        "units": ["micrometer"] * len(sample.axes),
        "axis_labels": list(sample.axes.lower()),
        "contrast_limits": (low, high),
        "metadata": {
            "deepblur": {
                "kind": "sample",
                "optics": optics.model_dump(),
                "true_coefficients": sample.coefficients,
            }
        },
    }
    return [(sample.image, arguments, "image")]
