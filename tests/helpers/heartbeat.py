"""How long the window did not answer."""

from __future__ import annotations

import sys
import time
from statistics import median
from typing import TYPE_CHECKING, Self

import numpy as np
from qtpy.QtCore import QTimer

if TYPE_CHECKING:
    from napari.components import ViewerModel


class Heartbeat:
    """Measures the gaps between the beats of a timer, as long as the context lasts."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._timer = QTimer()
        self._timer.timeout.connect(self._beat)
        self.longest_ms = 0.0

    def __enter__(self) -> Self:
        self._last = time.perf_counter()
        self._timer.start(2)
        return self

    def __exit__(self, *_: object) -> None:
        self._beat()
        self._timer.stop()
        text = f"{self._name}: the window did not answer for {self.longest_ms:.0f} ms at most"
        sys.stdout.write(f"{text}\n")

    def _beat(self) -> None:
        now = time.perf_counter()
        self.longest_ms = max(self.longest_ms, 1000 * (now - self._last))
        self._last = now


def addition_ms(viewer: ViewerModel) -> float:
    """How long napari takes to add a small layer, the median of five, ms."""
    from napari.layers import Image

    taken = []
    for _ in range(5):
        layer = Image(np.ones((8, 8)))
        begun = time.perf_counter()
        viewer.layers.append(layer)
        taken.append(1000 * (time.perf_counter() - begun))
    sys.stdout.write(f"napari itself adds a layer in {median(taken):.0f} ms\n")
    return median(taken)
