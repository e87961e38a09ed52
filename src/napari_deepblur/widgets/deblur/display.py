"""Results of the layer that is worked on, shown for the plane and the place looked at."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_deepblur.widgets.deblur.estimates import (
    blur_table,
    check_table,
    psf_picture,
)
from napari_deepblur.widgets.deblur.readiness import Resolved
from napari_deepblur.widgets.deblur.results import LayerResult, Results
from napari_deepblur.widgets.deblur.sentences import instead_text, origin_text
from napari_deepblur.widgets.deblur.view import DeblurView
from napari_deepblur.widgets.layers.cursor import CursorWatch, Pace
from napari_deepblur.widgets.layers.looked_at import current_pixel, current_plane

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

__all__ = ["ResultDisplay"]


class ResultDisplay:
    """Shows a layer's blur and check in the dock, following the sliders and the mouse.

    Parameters
    ----------
    viewer
        napari viewer with the sliders and the mouse.
    view
        The dock.
    results
        Results of all layers.
    pace
        Limit on how often the PSF under the mouse is looked up.
    """

    def __init__(self, viewer: ViewerModel, view: DeblurView, results: Results, pace: Pace) -> None:
        self._viewer = viewer
        self._view = view
        self._results = results
        self._layer: Image | None = None
        self._wanted: Resolved | None = None
        self._pixel: tuple[int, int] | None = None
        self._cursor = CursorWatch(viewer, pace)
        self._cursor.moved.connect(self._on_cursor)
        viewer.dims.events.current_step.connect(self._show)

    def show(self, layer: Image | None, wanted: Resolved) -> None:
        """Show what is known of a layer, marked where it was made with other settings."""
        self._layer, self._wanted = layer, wanted
        self._show()

    def close(self) -> None:
        """Stop listening."""
        self._cursor.close()
        self._viewer.dims.events.current_step.disconnect(self._show)

    def _shown(self) -> tuple[Image, LayerResult] | None:
        """Return the layer and its result; None while it has none or napari removes it.

        The sliders move while the layer is on its way out of the viewer.
        """
        layer, result = self._layer, self._results.of(self._layer)
        if layer is None or result is None or layer not in self._viewer.layers:
            return None
        return layer, result

    def _show(self) -> None:
        shown = self._shown()
        if shown is None or self._wanted is None:
            self._view.show_blur(None)
            self._view.show_check(None)
            return
        layer, result = shown
        plane = current_plane(self._viewer, layer)
        self._pixel = current_pixel(self._viewer, layer)
        table = blur_table(layer, result.estimated, plane, self._pixel)
        outdated = result.outdated(self._wanted)
        origin = origin_text(layer, result)
        instead = instead_text(self._wanted) if outdated else ""
        self._view.show_blur(replace(table, origin=origin, outdated=outdated, instead=instead))
        check = result.check
        if check is None:
            self._view.show_check(None)
        else:
            self._view.show_check(replace(check_table(layer, check, plane), outdated=outdated))

    def _on_cursor(self) -> None:
        """Show the PSF under the mouse, or else at the field's centre."""
        shown = self._shown()
        if shown is None or shown[1].estimated.field is None:
            return
        layer, result = shown
        pixel = current_pixel(self._viewer, layer)
        if pixel != self._pixel:
            self._pixel = pixel
            plane = current_plane(self._viewer, layer)
            self._view.show_psf(psf_picture(result.estimated, plane, pixel))
