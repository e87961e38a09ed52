"""Blurs and calibrations that were made in a viewer, for all docks of it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from psygnal import Signal

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_deepblur.calibration.result import CalibrationResult
    from napari_deepblur.engine.blur import BlurEstimate
    from napari_deepblur.engine.volume.blur import VolumeBlurEstimate

__all__ = ["Made"]


class Made:
    """What was made in one viewer.

    Attributes
    ----------
    result
        The calibration that was made last; None until there is one.
    blurs
        Blur of each layer that has one; layers are held weakly.
    """

    #: Another calibration or blur was made.
    changed = Signal()

    def __init__(self) -> None:
        self.result: CalibrationResult | None = None
        self.blurs: WeakKeyDictionary[Image, BlurEstimate | VolumeBlurEstimate]
        self.blurs = WeakKeyDictionary()

    @classmethod
    def of(cls, viewer: ViewerModel) -> Made:
        """Return that of a viewer."""
        return _OF_VIEWERS.setdefault(viewer, cls())

    def keep(self, result: CalibrationResult) -> None:
        """Put a calibration in place of the former one."""
        self.result = result
        self.changed.emit()

    def keep_blur(self, layer: Image, blur: BlurEstimate | VolumeBlurEstimate) -> None:
        """Put a blur in place of a layer's former one."""
        self.blurs[layer] = blur
        self.changed.emit()


_OF_VIEWERS: WeakKeyDictionary[ViewerModel, Made] = WeakKeyDictionary()
