"""Actions of the preview: show it, keep it, throw it away."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from napari_deepblur.widgets.deblur.preview.layer import preview_layer
from napari_deepblur.widgets.deblur.preview.region import PreviewRegion, region_of
from napari_deepblur.widgets.deblur.preview.task import Preview, preview_task
from napari_deepblur.widgets.deblur.work import Work
from napari_deepblur.widgets.layers.facts import pixels_of
from napari_deepblur.widgets.parts.tone import Tone

if TYPE_CHECKING:
    from napari.layers import Image

__all__ = ["PreviewActions"]

#: Largest side of what is taken of the view, pixels: a network is done with it within 2 seconds,
#: and 3-D deblurring, through some tens of planes, within about 10.
_LARGEST, _LARGEST_3D = 512, 160

_NOTHING_THERE = "There is nothing of {!r} in view: move it into view, or draw a shape on it."
_NEEDS_PSF = (
    "A preview with a 3-D PSF needs the PSF first, and that takes longer than a preview: "
    "press Estimate PSF."
)


class PreviewActions:
    """Deblurs a part of the current plane before all of the layer is.

    Parameters
    ----------
    work
        The layer, the settings and the task.
    """

    def __init__(self, work: Work) -> None:
        self._work = work

    def show(self) -> None:
        """Deblur the shape that is selected, or else what is in view."""
        work, layer, wanted = self._work, self._work.layer, self._work.resolved
        if not work.may_run(wanted) or layer is None:
            return
        known = work.known_blur(layer, wanted)
        in_3d = wanted.per == "volume"
        if in_3d and work.must_estimate(wanted, known):
            work.view.show_message(Tone.WARNING, _NEEDS_PSF)
            return
        region = region_of(work.viewer, layer, _LARGEST_3D if in_3d else _LARGEST)
        if region is None:
            work.view.show_message(Tone.WARNING, _NOTHING_THERE.format(layer.name))
            return
        task = preview_task(pixels_of(layer), wanted, region.part, known)
        work.run(task, partial(self._take, layer, region), wanted)

    def keep(self) -> None:
        """Keep the preview as a result of its own, which another one leaves alone."""
        layer = self._work.layer
        if layer is not None:
            self._work.layers.keep_preview(layer)
            self._work.view.show_message(Tone.INFO, "")  # what it said of the preview
            self._work.changed.emit()

    def discard(self) -> None:
        """Throw the preview away."""
        layer = self._work.layer
        if layer is not None:
            self._work.layers.drop_preview(layer)
            self._work.view.show_message(Tone.INFO, "")  # what it said of the preview
            self._work.changed.emit()

    def _take(self, layer: Image, region: PreviewRegion, preview: Preview) -> None:
        self._work.layers.show_preview(layer, preview_layer(layer, preview), preview.extent)
        self._work.changed.emit()
        text = f"Preview of {region.words}"
        if layer.ndim > 2 and not preview.estimated.is_3d:
            text += f", plane {region.part.plane}"
        if preview.of_plane_alone:
            text += ", with the blur of this plane alone"
        self._work.report(f"{text}.", preview.estimated.blur)
