"""Commands of the menus Layers > Filter, Measure, Visualize: the dock, for the active layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from napari_deepblur.widgets.ask import ask_for_settings
from napari_deepblur.widgets.functions import deblur_layer, estimate_psf_of_layer
from napari_deepblur.widgets.layers.facts import facts_of

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
    """Ask how, and deblur the active layer."""
    dock = open_dock(viewer)
    if dock.controller.select_active() and _asks(dock, deblur_layer, "Deblur"):
        dock.controller.sharp.deblur()


def estimate_active_layer(viewer: napari.viewer.Viewer) -> None:
    """Ask how, and estimate the blur of the active layer."""
    dock = open_dock(viewer)
    if dock.controller.select_active() and _asks(dock, estimate_psf_of_layer, "Estimate the blur"):
        dock.controller.psf.estimate()


def show_psf_of_active_layer(viewer: napari.viewer.Viewer) -> None:
    """Show the PSF of the active layer, over the field where it varies; estimate it if need be."""
    controller = open_dock(viewer).controller
    if controller.select_active():
        controller.psf.show()


def _asks(dock: DeblurDock, function: Callable[..., Any], what: str) -> bool:
    """Ask for settings and set them; tell whether to go on, be it to hear why that cannot be."""
    controller = dock.controller
    layer = controller.layer
    if layer is None or controller.busy or facts_of(layer).problem:
        return True
    title = f"{what}: {layer.name}"
    settings = ask_for_settings(
        function, controller.resolved, controller.models, title=title, parent=dock
    )
    if settings is not None:
        controller.settings.update(settings)
    return settings is not None
