"""Beads of an image layer as a points layer that the user may correct."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Points
from numpy.typing import NDArray
from psygnal import Signal

from napari_deepblur.calibration.beads.status import BeadStatus
from napari_deepblur.widgets.layers.facts import axes_of
from napari_deepblur.widgets.layers.geometry import geometry_of
from napari_deepblur.widgets.layers.names import result_name

if TYPE_CHECKING:
    from napari.layers import Image
    from pandas import DataFrame

__all__ = ["BeadCounts", "BeadPoints", "BeadsInPlane", "joined", "symbol_of"]

#: Number of beads by status, in the order of `BeadStatus`.
BeadCounts = Mapping[BeadStatus, int]

#: Figures of the bead under the mouse, for the status bar.
_FEATURES = ("status", "fwhm_um", "ellipticity", "snr")

#: Digits behind the point of a pixel by which a bead is known again.
_DIGITS = 6

#: Ends of edits; napari also announces them.
_EDITS = ("added", "removed", "changed")

#: Width of the circles' lines by their diameter, and the least diameter in pixels.
_LINE, _SMALLEST = 0.12, 5.0


_STYLE: dict[str, Any] = {
    "face_color": "transparent",
    "border_color": BeadStatus.ADDED.colour,
    "border_width": _LINE,
}


@dataclass(frozen=True, slots=True)
class BeadsInPlane:
    """Beads of one acquisition.

    Attributes
    ----------
    plane
        Number of the plane in its stack.
    beads
        Table of `find_beads`, with `fwhm_um`.
    """

    plane: int
    beads: DataFrame


class BeadPoints:
    """Beads of one image layer.

    A point that lies exactly where a bead was found is that bead; all others are the user's, and
    a bead without a point was deleted.

    Parameters
    ----------
    layer
        Image with beads.
    found
        Beads of each of its time points, or of its only one.
    window
        Side of the PSFs, pixels.
    """

    #: The user changed something.
    edited = Signal()

    def __init__(self, layer: Image, found: Sequence[BeadsInPlane], window: int) -> None:
        self.layer = layer
        self.points = Points(name=result_name("beads", layer.name), **geometry_of(layer) | _STYLE)
        self._taking = False
        self.take(found, window)
        self.points.events.data.connect(self._on_data)

    def take(self, found: Sequence[BeadsInPlane], window: int) -> None:
        """Show other beads, in place of all points."""
        import pandas as pd

        self.found, self.window = tuple(found), window
        tables = [one.beads.assign(acquisition=t) for t, one in enumerate(found)]
        self._beads = pd.concat(tables, ignore_index=True)
        keys = zip(
            self._beads["acquisition"],
            *self._beads[["y", "x"]].to_numpy(float).T.round(_DIGITS).tolist(),
            strict=True,
        )
        self._rows = {key: row for row, key in enumerate(keys)}
        self._leads = [self._lead(t, one.plane) for t, one in enumerate(found)]
        self._taking = True
        try:
            # Of the former points; to these alone it would give the size.
            self.points.selected_data = set()
            self.points.current_size = max(window / 2, _SMALLEST)
            self.points.data = np.concatenate(
                [
                    _coordinates(lead, one.beads)
                    for lead, one in zip(self._leads, found, strict=True)
                ]
            )
            self._describe()
        finally:
            self._taking = False

    def fits(self) -> bool:
        """Tell whether the layer still has the axes that it had."""
        leads = [self._lead(t, one.plane) for t, one in enumerate(self.found)]
        return leads == self._leads and self.points.ndim == self.layer.ndim

    def follow(self) -> None:
        """Lie on the layer, wherever it was moved."""
        for name, value in geometry_of(self.layer).items():
            setattr(self.points, name, value)

    def close(self) -> None:
        """Leave the points to the viewer."""
        self.points.events.data.disconnect(self._on_data)

    @property
    def plane(self) -> int:
        """Plane of the first time point's stack in which its beads are."""
        return self.found[0].plane

    def positions(self) -> list[NDArray[np.float64] | None]:
        """Positions of the used and added beads of each time point: y, x in pixels.

        None where the user changed nothing.
        """
        acquisition, row = self._known()
        taken = np.isin(self._statuses(row), (BeadStatus.USED, BeadStatus.ADDED))
        places = np.asarray(self.points.data, np.float64)[:, -2:]
        return [
            None
            if self._is_untouched(t, row[acquisition == t])
            else places[taken & (acquisition == t)]
            for t in range(len(self.found))
        ]

    def rejected(self) -> list[DataFrame]:
        """Beads of each time point that cannot be used and were not deleted."""
        acquisition, row = self._known()
        left = (row >= 0) & ~np.isin(self._statuses(row), (BeadStatus.USED, BeadStatus.ADDED))
        return [
            self._beads.iloc[np.unique(row[left & (acquisition == t)])]
            for t in range(len(self.found))
        ]

    def counts(self) -> BeadCounts:
        """Count the points of each status."""
        statuses = self._statuses(self._known()[1]).tolist()
        return {status: statuses.count(status) for status in BeadStatus if status in statuses}

    def _on_data(self, event: Any) -> None:
        if not self._taking and event.action in _EDITS:
            self._describe()
            self.edited.emit()

    def _describe(self) -> None:
        """Give each point its status, colour and figures."""
        row = self._known()[1]
        features = self._beads.reindex(index=row, columns=list(_FEATURES)).reset_index(drop=True)
        features["status"] = self._statuses(row)
        self.points.features = features
        if len(row):
            self.points.size = self.points.current_size
            statuses = list(map(BeadStatus, features["status"]))
            self.points.border_color = [status.colour for status in statuses]
            self.points.symbol = list(map(symbol_of, statuses))

    def _known(self) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
        """Time point of each point, and its row among the beads; -1 for the user's own."""
        data = np.asarray(self.points.data, np.float64)
        axes = axes_of(self.layer)
        times = data[:, axes.index("T")] if "T" in axes else np.zeros(len(data))
        acquisition = times.round().astype(int).clip(0, len(self.found) - 1)
        places = data[:, -2:].round(_DIGITS).tolist()
        keys = zip(acquisition.tolist(), *zip(*places, strict=True), strict=True) if places else ()
        return acquisition, np.array([self._rows.get(key, -1) for key in keys], int)

    def _is_untouched(self, time: int, row: NDArray[np.int_]) -> bool:
        return np.array_equal(np.sort(row), np.flatnonzero(self._beads["acquisition"] == time))

    def _statuses(self, row: NDArray[np.int_]) -> NDArray[np.object_]:
        found = self._beads["status"].to_numpy(object)
        return np.array(
            [found[n] if n >= 0 else BeadStatus.ADDED.value for n in row.tolist()], object
        )

    def _lead(self, time: int, plane: int) -> tuple[int, ...]:
        """Return the indices along the leading axes."""
        place = {"T": time, "Z": plane}
        return tuple(place.get(axis, 0) for axis in axes_of(self.layer)[:-2])


def symbol_of(status: BeadStatus) -> str:
    """Return the shape of a bead's point: beads are told apart without colours, too."""
    return {BeadStatus.USED: "disc", BeadStatus.ADDED: "diamond"}.get(status, "square")


def joined(first: DataFrame, second: DataFrame) -> DataFrame:
    """Join two tables by the columns that both have."""
    import pandas as pd

    return pd.concat([first, second], join="inner")


def _coordinates(lead: tuple[int, ...], beads: DataFrame) -> NDArray[np.float64]:
    places = beads[["y", "x"]].to_numpy(float)
    return np.hstack([np.broadcast_to(np.array(lead, float), (len(places), len(lead))), places])
