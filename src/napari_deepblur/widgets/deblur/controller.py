"""What the dock does: it ties viewer, settings, tasks and view together, without Qt."""

from __future__ import annotations

from collections.abc import Hashable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_deepblur.errors import ModelError
from napari_deepblur.widgets.deblur.estimates import (
    Estimates,
    blur_table,
    check_table,
    current_pixel,
    current_plane,
    flagged_planes,
    misfit,
    psf_picture,
)
from napari_deepblur.widgets.deblur.layers import deblurred_layer, psf_layers, residual_layer
from napari_deepblur.widgets.deblur.models import ModelShelf
from napari_deepblur.widgets.deblur.readiness import Resolved, resolve
from napari_deepblur.widgets.deblur.settings import DeblurSettings
from napari_deepblur.widgets.deblur.tasks import (
    Deblurred,
    Estimated,
    deblur_task,
    estimate_task,
    load_task,
)
from napari_deepblur.widgets.deblur.view import DeblurView
from napari_deepblur.widgets.layers.cursor import CursorWatch, Pace
from napari_deepblur.widgets.layers.facts import facts_of, pixels_of
from napari_deepblur.widgets.layers.optics_fields import OPTICS_FIELDS
from napari_deepblur.widgets.layers.watch import LayerWatch
from napari_deepblur.widgets.parts.tone import Tone
from napari_deepblur.widgets.tasks.task_slot import StartTask, TaskSlot

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_deepblur.engine.blur import BlurEstimate
    from napari_deepblur.engine.diagnostics import DeblurringCheck

__all__ = ["DeblurController"]

_NO_SIGN = (
    "The planes do not change as those of a focus series would, or too little to be sure: the "
    "sign of the even modes stays unknown"
)


class DeblurController:
    """The dock's behaviour.

    Parameters
    ----------
    viewer
        Whose layers are read, and where results go.
    view
        Shows everything.
    settings
        The user's wishes.
    start
        Runs tasks.
    pace
        Says how often the PSF under the mouse is looked up; by default whenever it moves.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        view: DeblurView,
        settings: DeblurSettings,
        *,
        start: StartTask,
        pace: Pace = lambda function: function,
    ) -> None:
        self._viewer = viewer
        self._view = view
        self.settings = settings
        self._layer: Image | None = None
        self._slot = TaskSlot(view, start)
        self._estimates = Estimates()
        self._psf_layers: dict[Hashable, list[Image]] = {}
        self._models = ModelShelf()
        self._watch = LayerWatch(viewer)
        self._watch.listed.connect(self._on_listed)
        self._watch.edited.connect(self._on_edited)
        self._cursor = CursorWatch(viewer, pace)
        self._cursor.moved.connect(self._on_cursor)
        self._pixel: tuple[int, int] | None = None
        settings.events.connect(self._on_settings)
        viewer.dims.events.current_step.connect(self._show_results)
        view.show_models(self._models.cards)
        active = viewer.layers.selection.active
        images = self._watch.images()
        self.select(active if active in images else next(iter(images), None))

    @property
    def layer(self) -> Image | None:
        """The layer that is worked on."""
        return self._layer

    @property
    def resolved(self) -> Resolved:
        """What would be computed now."""
        facts = facts_of(self._layer) if self._layer is not None else None
        return resolve(self.settings, facts, varies=self._models.varies(self.settings.model))

    @property
    def busy(self) -> bool:
        """Whether a task runs."""
        return self._slot.busy

    def select(self, layer: Image | None) -> None:
        """Work on another layer; values that were typed for the former one alone go."""
        if layer != self._layer:
            self._slot.abandon()
            self._layer = layer
            self._view.show_message(Tone.INFO, "")
            self._forget_typed()
        self._view.show_layers(self._watch.images(), layer)
        self._refresh()

    def choose_model(self, folder: str | Path) -> None:
        """Use the model in a folder, and offer it from now on."""
        try:
            model = self._models.add_folder(folder)
        except (ModelError, OSError) as error:
            self._view.show_message(Tone.ERROR, str(error))
        else:
            self._view.show_message(Tone.INFO, "")
            self._use_model(model)

    def estimate(self) -> None:
        """Estimate the blur of the layer."""
        layer, wanted = self._layer, self.resolved
        if self._may_run(wanted) and layer is not None:
            self._slot.run(
                estimate_task(pixels_of(layer), wanted), partial(self._take_blur, layer, wanted)
            )

    def deblur(self) -> None:
        """Deblur the layer, estimating its blur first where that was not done."""
        layer, wanted = self._layer, self.resolved
        if self._may_run(wanted) and layer is not None:
            known = self._estimates.fitting(layer, wanted)
            task = deblur_task(pixels_of(layer), wanted, known)
            self._slot.run(task, partial(self._take_sharp, layer, is_new=known is None))

    def cancel(self) -> None:
        """Stop the task; what it found is dropped."""
        if self.busy:
            self._slot.abandon()
            self._view.show_message(Tone.INFO, "Cancelled.")

    def save(self, path: str | Path) -> None:
        """Write the layer's blur to a file, in place of what was there."""
        estimated = self._estimates.of(self._layer)
        if estimated is None:
            self._view.show_message(Tone.ERROR, "There is no blur to save: estimate it first.")
            return
        try:
            estimated.blur.save(path, overwrite=True)
        except OSError as error:
            self._view.show_message(Tone.ERROR, f"The blur was not saved: {error}")
        else:
            self._view.show_message(Tone.GOOD, f"Saved the blur to {Path(path).name}.")

    def load(self, path: str | Path) -> None:
        """Take the layer's blur from a file."""
        if self._layer is None:
            self._view.show_message(Tone.ERROR, "Open the image that the blur is for first.")
        elif not self.busy:
            self._slot.run(load_task(path), partial(self._take_loaded, self._layer))

    def close(self) -> None:
        """Stop listening and drop what runs."""
        self._slot.silence()
        self._watch.close()
        self._cursor.close()
        self.settings.events.disconnect(self._on_settings)
        self._viewer.dims.events.current_step.disconnect(self._show_results)

    def _may_run(self, wanted: Resolved) -> bool:
        if self.busy:
            return False
        if not wanted.can_run:
            self._view.show_message(Tone.ERROR, wanted.message)
        return wanted.can_run

    # Answers

    def _take_blur(self, layer: Image, wanted: Resolved, estimated: Estimated) -> None:
        self._keep(layer, estimated)
        unresolved = wanted.z_step_um is not None and not estimated.blur.twin_resolved
        self._report(
            f"Estimated the blur of {layer.name!r}.", estimated, _NO_SIGN if unresolved else ""
        )

    def _take_sharp(self, layer: Image, result: Deblurred, *, is_new: bool) -> None:
        if is_new:
            self._keep(layer, result.estimated)
        # Beneath the deblurred image, which is what one wants to see first.
        residual = residual_layer(layer, result)
        if residual is not None:
            shown = self._viewer.add_image(residual[0], **residual[1])
            limit = max(shown.contrast_limits[1], float(np.abs(residual[0]).max()))
            shown.contrast_limits_range = (-limit, limit)
        data, arguments = deblurred_layer(layer, result)
        added = self._viewer.add_image(data, **arguments)
        low, high = arguments["contrast_limits"]
        added.contrast_limits_range = (min(low, result.extent[0]), max(high, result.extent[1]))
        self._estimates.keep_check(layer, result.check)
        self._show_results()
        text = f"Deblurred {layer.name!r}{_residual_text(result.check)}."
        self._report(text, result.estimated, _doubts(result.check))

    def _take_loaded(self, layer: Image, estimated: Estimated) -> None:
        blur = estimated.blur
        problem = misfit(layer, estimated)
        if problem:
            self._view.show_message(Tone.ERROR, problem)
            return
        self.settings.update(blur.optics.model_dump() | {"per": blur.per})
        self._use_model(self._models.add(blur.model))
        self._keep(layer, estimated)
        self._report("Loaded a blur.", estimated)

    def _report(self, text: str, estimated: Estimated, *more: str) -> None:
        """Tell how a task ended, and that there is something to read below."""
        self._slot.report(text, *filter(None, [_flags(estimated.blur), *more]))

    def _keep(self, layer: Image, estimated: Estimated) -> None:
        """Remember a layer's blur and show its PSFs, in place of the former ones."""
        self._estimates.keep(layer, estimated)
        for former in self._psf_layers.pop(layer.unique_id, []):
            if former in self._viewer.layers:
                self._viewer.layers.remove(former)
        active = self._viewer.layers.selection.active
        self._psf_layers[layer.unique_id] = [
            self._viewer.add_image(data, **arguments)
            for data, arguments in psf_layers(layer, estimated)
        ]
        self._viewer.layers.selection.active = active
        self._show_results()

    def _use_model(self, model: str) -> None:
        self._view.show_models(self._models.cards)
        self.settings.model = model
        # A list that was filled anew has no choice, and settings that stay as they were are quiet.
        self._refresh()

    # Viewer and settings

    def _forget_typed(self) -> None:
        """Forget what was said of the former layer alone, and what the layer itself knows."""
        known = facts_of(self._layer).known if self._layer is not None else {}
        stale = [name for name in OPTICS_FIELDS if name in known or name == "pixel_size_um"]
        self.settings.update(dict.fromkeys(stale) | {"focus_series": False})

    def _refresh(self) -> None:
        self._view.show_resolved(self.resolved)
        self._show_results()

    def _show_results(self) -> None:
        layer = self._layer
        estimated = self._estimates.of(layer)
        if estimated is None or layer is None:
            self._view.show_blur(None)
            self._view.show_check(None)
            return
        plane = current_plane(self._viewer, layer)
        check = self._estimates.check_of(layer)
        self._pixel = current_pixel(self._viewer, layer)
        self._view.show_blur(blur_table(layer, estimated, plane, self._pixel))
        self._view.show_check(None if check is None else check_table(layer, check, plane))

    def _on_cursor(self) -> None:
        """Show the PSF under the mouse, or else at the field's centre."""
        layer = self._layer
        estimated = self._estimates.of(layer)
        if layer is None or estimated is None or estimated.field is None:
            return
        pixel = current_pixel(self._viewer, layer)
        if pixel != self._pixel:
            self._pixel = pixel
            plane = current_plane(self._viewer, layer)
            self._view.show_psf(psf_picture(estimated, plane, pixel))

    def _on_settings(self) -> None:
        self._refresh()

    def _on_listed(self) -> None:
        images = self._watch.images()
        gone = self._layer is None or self._layer not in images
        self.select(next(iter(images), None) if gone else self._layer)

    def _on_edited(self, layer: Any) -> None:
        if layer == self._layer:
            # Other pixels or another grid: neither a running task nor an old answer fits.
            self._slot.abandon()
            self._estimates.forget(layer)
            self._refresh()


def _flags(blur: BlurEstimate) -> str:
    n_flagged, n_planes = len(flagged_planes(blur)), len(blur.coefficients)
    if not n_flagged:
        return ""
    if n_planes == 1:
        return "The estimate may be wrong, see below"
    return f"{n_flagged} of {n_planes} planes are flagged, see below"


def _doubts(check: DeblurringCheck | None) -> str:
    if check is None:
        return ""
    n_flagged, n_planes = sum(map(bool, check.concerns)), len(check.concerns)
    if not n_flagged:
        return ""
    if n_planes == 1:
        return "The deblurred image may be wrong, see below"
    return f"{n_flagged} of {n_planes} deblurred planes may be wrong, see below"


def _residual_text(check: DeblurringCheck | None) -> str:
    if check is None:
        return ""
    which = "residual" if len(check.residual) == 1 else "median residual"
    return f", {which} {float(np.median(check.residual)):.1f} × noise"
