"""Beads of all layers, for as long as their points are in the viewer."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_deepblur.calibration.beads.status import BeadStatus
from napari_deepblur.widgets.calibrate.bead_points import BeadCounts, BeadPoints, BeadsInPlane
from napari_deepblur.widgets.layers.facts import axes_of, pixels_of
from napari_deepblur.widgets.layers.stack_plane import go_to_index

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_deepblur.engine.calibrate import Positions

__all__ = ["BeadLists", "n_times_of", "times_of"]


class BeadLists:
    """Shows detected beads as points layers and reads back the user's edits.

    Parameters
    ----------
    viewer
        napari viewer to show the points in.
    """

    edited = Signal()

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._beads: dict[Hashable, BeadPoints] = {}

    def of(self, layer: Image) -> BeadPoints | None:
        """Beads of a layer, if they were looked for and are still shown."""
        return self._beads.get(layer.unique_id)

    def show(self, layer: Image, found: Sequence[BeadsInPlane], window: int) -> None:
        """Show a layer's beads, in place of the former ones."""
        known = self.of(layer)
        if known is not None:
            known.take(found, window)
            return
        known = self._beads[layer.unique_id] = BeadPoints(layer, found, window)
        known.edited.connect(self._on_edited)
        self._viewer.add_layer(known.points)

    def show_only(self, layer: Image) -> None:
        """Hide the beads of all other layers, where this one has some."""
        if self.of(layer) is not None:
            for key, known in self._beads.items():
                known.points.visible = key == layer.unique_id

    def go_to(self, layer: Image) -> None:
        """Move the slider to the plane in which a layer's beads are."""
        known = self.of(layer)
        if known is not None:
            go_to_index(self._viewer, layer, "Z", known.plane)

    def positions(self, layers: Sequence[Image]) -> Positions:
        """Positions of each acquisition's beads after edits; None where nothing was edited."""
        positions: list[NDArray[np.float64] | None] = []
        for layer in layers:
            known = self.of(layer)
            positions += [None] * n_times_of(layer) if known is None else known.positions()
        return positions

    def counts(self, layers: Sequence[Image]) -> BeadCounts | None:
        """Beads of layers by status; None if they were not looked for."""
        parts = [known.counts() for known in map(self.of, layers) if known is not None]
        return (
            {
                status: sum(part.get(status, 0) for part in parts)
                for status in BeadStatus
                if any(status in part for part in parts)
            }
            if parts
            else None
        )

    def follow(self, layer: Image) -> None:
        """Lay the points on a layer that was moved; remove those that no longer fit."""
        known = self.of(layer)
        if known is None:
            return
        if known.fits():
            known.follow()
        elif known.points in self._viewer.layers:
            self._viewer.layers.remove(known.points)

    def drop_removed(self) -> None:
        """Forget beads whose points the user removed."""
        for key, known in list(self._beads.items()):
            if known.points not in self._viewer.layers:
                self._beads.pop(key).close()

    def _on_edited(self) -> None:
        # Connecting `emit` itself would emit at once.
        self.edited.emit()

    def close(self) -> None:
        """Leave the points to the viewer."""
        for known in self._beads.values():
            known.close()
        self._beads.clear()


def n_times_of(layer: Image) -> int:
    """Count the time points of a layer."""
    axes = axes_of(layer)
    return int(pixels_of(layer).shape[axes.index("T")]) if "T" in axes else 1


def times_of(layers: Sequence[Image]) -> Iterator[tuple[Image, slice]]:
    """Each layer with the numbers of its acquisitions."""
    ends = [0, *accumulate(n_times_of(layer) for layer in layers)]
    for layer, (start, stop) in zip(layers, pairwise(ends), strict=True):
        yield layer, slice(start, stop)
