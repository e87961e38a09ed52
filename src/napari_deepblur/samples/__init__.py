"""Images made on the fly, whose sharp truth and blur are known."""

from __future__ import annotations

from collections.abc import Callable

from napari_deepblur.samples.lymphocyte import lymphocyte
from napari_deepblur.samples.podosomes import podosomes
from napari_deepblur.samples.sample import Sample
from napari_deepblur.samples.spheroid import spheroid

__all__ = ["SAMPLES", "Sample"]

#: Every sample by its name; calling it draws the same image each time.
SAMPLES: dict[str, Callable[[], Sample]] = {
    "podosomes": podosomes,
    "spheroid": spheroid,
    "lymphocyte": lymphocyte,
}
