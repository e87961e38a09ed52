"""Commands of the menus Layers > Filter, Measure and Visualize: the dock, for the active layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import napari

    from napari_deepblur.widgets.deblur.dock import DeblurDock

__all__ = [
    "deblur_active_layer",
    "estimate_active_layer",
    "open_dock",
    "show_psf_of_active_layer",
]


def open_dock(viewer: napari.viewer.Viewer) -> DeblurDock:
    """Open the dock, or find the one that is open."""
    _, dock = viewer.window.add_plugin_dock_widget("napari-deepblur", "Deep-Blur")
    opened: DeblurDock = dock
    return opened


def deblur_active_layer(viewer: napari.viewer.Viewer) -> None:
    """Deblur the active layer; the dock asks for what is missing."""
    controller = open_dock(viewer).controller
    if controller.select_active():
        controller.sharp.deblur()


def estimate_active_layer(viewer: napari.viewer.Viewer) -> None:
    """Estimate the blur of the active layer; the dock asks for what is missing."""
    controller = open_dock(viewer).controller
    if controller.select_active():
        controller.psf.estimate()


def show_psf_of_active_layer(viewer: napari.viewer.Viewer) -> None:
    """Show the PSF of the active layer, over the field where it varies; estimate it if need be."""
    controller = open_dock(viewer).controller
    if controller.select_active():
        controller.psf.show()
