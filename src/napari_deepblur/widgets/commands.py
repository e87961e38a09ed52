"""What the menus Layers > Filter and Layers > Measure call: the dock, for the active layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import napari

    from napari_deepblur.widgets.deblur.dock import DeblurDock

__all__ = ["deblur_active_layer", "estimate_active_layer", "open_dock"]


def open_dock(viewer: napari.viewer.Viewer) -> DeblurDock:
    """Open the dock, or find the one that is open, and choose the active image layer."""
    _, dock = viewer.window.add_plugin_dock_widget("napari-deepblur", "Deep-Blur")
    opened: DeblurDock = dock
    active = viewer.layers.selection.active
    if active is not None and active in opened.layer_box.choices():
        opened.controller.select(active)
    return opened


def deblur_active_layer(viewer: napari.viewer.Viewer) -> None:
    """Deblur the active layer; the dock asks for what is missing."""
    open_dock(viewer).controller.deblur()


def estimate_active_layer(viewer: napari.viewer.Viewer) -> None:
    """Estimate the blur of the active layer; the dock asks for what is missing."""
    open_dock(viewer).controller.estimate()
