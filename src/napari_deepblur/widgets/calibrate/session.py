"""Memory of a viewer's dock, which outlives the dock itself."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from napari_deepblur.widgets.calibrate.tasks import Calibrated
from napari_deepblur.widgets.calibrate.wishes import CalibrationWishes

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

__all__ = ["CALIBRATION_SESSIONS", "CalibrationSession", "Key", "key_of"]

#: Ids of the layers that a calibration is made from, in their order.
Key = tuple[Hashable, ...]

#: Sessions by their viewers, as long as those exist.
CALIBRATION_SESSIONS: WeakKeyDictionary[ViewerModel, CalibrationSession] = WeakKeyDictionary()


class CalibrationSession:
    """Choices and calibrations of one viewer.

    Attributes
    ----------
    wishes
        Choices of the user.
    chosen
        Ids of the layers that were chosen last.
    results
        Calibrations by the layers that they were made from.
    loaded
        Name and content of the folder that was loaded last, until something is calibrated or
        other layers are chosen.
    """

    def __init__(self) -> None:
        self.wishes = CalibrationWishes()
        self.chosen: Key = ()
        self.results: dict[Key, Calibrated] = {}
        self.loaded: tuple[str, Calibrated] | None = None

    @classmethod
    def of(cls, viewer: ViewerModel) -> CalibrationSession:
        """Return the viewer's session; it is begun where there is none."""
        return CALIBRATION_SESSIONS.setdefault(viewer, cls())

    def keep_only(self, layers: Sequence[Image]) -> None:
        """Forget calibrations from layers that are gone."""
        there = {layer.unique_id for layer in layers}
        for key in [key for key in self.results if not there.issuperset(key)]:
            del self.results[key]


def key_of(layers: Sequence[Image]) -> Key:
    """Return the key of layers."""
    return tuple(layer.unique_id for layer in layers)
