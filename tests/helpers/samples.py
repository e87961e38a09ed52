"""Sample images, each drawn once for all tests."""

from __future__ import annotations

from functools import cache

from napari_deepblur.samples import SAMPLES, Sample


@cache
def sample_of(name: str) -> Sample:
    """Sample by its name; its arrays must not be changed."""
    return SAMPLES[name]()
