"""The calibration that was made last in a viewer, for all docks of it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from psygnal import Signal

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_deepblur.calibration.result import CalibrationResult

__all__ = ["MadeCalibration"]


class MadeCalibration:
    """The calibration that was made last in one viewer.

    Attributes
    ----------
    result
        The calibration; None until there is one.
    """

    #: Another one was made.
    changed = Signal()

    def __init__(self) -> None:
        self.result: CalibrationResult | None = None

    @classmethod
    def of(cls, viewer: ViewerModel) -> MadeCalibration:
        """Return that of a viewer."""
        return _OF_VIEWERS.setdefault(viewer, cls())

    def keep(self, result: CalibrationResult) -> None:
        """Put a calibration in place of the former one."""
        self.result = result
        self.changed.emit()


_OF_VIEWERS: WeakKeyDictionary[ViewerModel, MadeCalibration] = WeakKeyDictionary()
