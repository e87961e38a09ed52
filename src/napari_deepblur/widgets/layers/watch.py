"""The viewer's image layers, and what happens to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.layers import Image
from psygnal import Signal

from napari_deepblur.widgets.layers.by_product import is_by_product

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["LayerWatch"]

_EDITS = ("data", "scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")


class LayerWatch:
    """Tells when image layers come, go, get another name or are edited.

    Parameters
    ----------
    viewer
        napari viewer whose layers are watched.
    """

    listed = Signal()
    #: The layer, and the name of what was edited: ``data``, ``scale``, ``translate`` and so on.
    edited = Signal(object, str)

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        events = viewer.layers.events
        events.inserted.connect(self._on_inserted)
        events.removed.connect(self._on_removed)
        events.reordered.connect(self._on_listed)
        for layer in viewer.layers:
            self._watch(layer)

    def images(self) -> list[Image]:
        """Image layers that could be deblurred, topmost first."""
        layers = reversed(list(self._viewer.layers))
        return [layer for layer in layers if isinstance(layer, Image) and not is_by_product(layer)]

    def close(self) -> None:
        """Stop listening."""
        events = self._viewer.layers.events
        events.inserted.disconnect(self._on_inserted)
        events.removed.disconnect(self._on_removed)
        events.reordered.disconnect(self._on_listed)
        for layer in self._viewer.layers:
            self._unwatch(layer)

    def _watch(self, layer: Any) -> None:
        if not isinstance(layer, Image):
            return
        layer.events.name.connect(self._on_listed)
        for name in _EDITS:
            getattr(layer.events, name).connect(self._on_edited)

    def _unwatch(self, layer: Any) -> None:
        if not isinstance(layer, Image):
            return
        layer.events.name.disconnect(self._on_listed)
        for name in _EDITS:
            getattr(layer.events, name).disconnect(self._on_edited)

    def _on_inserted(self, event: Any) -> None:
        self._watch(event.value)
        # Another result changes nothing of what there is to work on.
        if not is_by_product(event.value):
            self.listed.emit()

    def _on_removed(self, event: Any) -> None:
        self._unwatch(event.value)
        self.listed.emit()

    def _on_listed(self) -> None:
        self.listed.emit()

    def _on_edited(self, event: Any) -> None:
        self.edited.emit(event.source, event.type)
