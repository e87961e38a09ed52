"""Behaviour of the dock Deep-Blur: ties viewer, settings, tasks and view together, without Qt."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_deepblur.errors import ModelError
from napari_deepblur.widgets.deblur import sentences
from napari_deepblur.widgets.deblur.display import ResultDisplay
from napari_deepblur.widgets.deblur.readiness import Resolved, blur_request, resolve
from napari_deepblur.widgets.deblur.result_layers import ResultLayers
from napari_deepblur.widgets.deblur.session import Session
from napari_deepblur.widgets.deblur.settings import DeblurSettings
from napari_deepblur.widgets.deblur.tasks import (
    Deblurred,
    Estimated,
    deblur_task,
    estimate_task,
    load_task,
)
from napari_deepblur.widgets.deblur.view import DeblurView
from napari_deepblur.widgets.layers.by_product import is_by_product
from napari_deepblur.widgets.layers.cursor import Pace
from napari_deepblur.widgets.layers.facts import facts_of, pixels_of, take_scale_as_um
from napari_deepblur.widgets.layers.watch import LayerWatch
from napari_deepblur.widgets.parts.tone import Tone
from napari_deepblur.widgets.tasks.task_slot import StartTask, TaskSlot

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_deepblur.engine.blur import BlurEstimate
    from napari_deepblur.engine.diagnostics import DeblurringCheck

__all__ = ["DeblurController"]


class DeblurController:
    """Behaviour of the dock.

    Parameters
    ----------
    viewer
        napari viewer to read layers from and add results to.
    view
        The dock, or a stand-in for it, that shows everything.
    session
        Settings and results, which outlive the dock.
    start
        Function that runs a task elsewhere.
    pace
        Limit on how often the PSF under the mouse is looked up; by default there is none.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        view: DeblurView,
        session: Session,
        *,
        start: StartTask,
        pace: Pace = lambda function: function,
    ) -> None:
        self._viewer = viewer
        self._view = view
        self._session = session
        self._layer: Image | None = None
        #: What the running task was started with; None for one that depends on no settings.
        self._wanted: Resolved | None = None
        self._slot = TaskSlot(view, start)
        self._layers = ResultLayers(viewer, session.sources)
        self._watch = LayerWatch(viewer)
        self._watch.listed.connect(self._on_listed)
        self._watch.edited.connect(self._on_edited)
        self._display = ResultDisplay(viewer, view, session.results, pace)
        self.settings.events.connect(self._on_settings)
        view.show_models(session.models.cards)
        self._choose_first()

    @property
    def settings(self) -> DeblurSettings:
        """The user's wishes."""
        return self._session.settings

    @property
    def layer(self) -> Image | None:
        """The layer that is worked on."""
        return self._layer

    @property
    def resolved(self) -> Resolved:
        """Values that a task would be started with now, or the reason why none can be."""
        facts = facts_of(self._layer) if self._layer is not None else None
        varies = self._session.models.varies(self.settings.model)
        return resolve(self.settings, facts, varies=varies)

    @property
    def busy(self) -> bool:
        """True while a task runs."""
        return self._slot.busy

    def select(self, layer: Image | None) -> None:
        """Work on another layer, with the settings as they were left there; not during a task."""
        images = self._watch.images()
        if layer != self._layer and self.busy:
            self._say_busy()
        elif layer != self._layer:
            self._layer = next((image for image in images if image == layer), None)
            self._view.show_message(Tone.INFO, "")
            if self._layer is not None:
                self._session.turn_to(self._layer)
        self._view.show_layers(images, self._layer)
        self._refresh()

    def select_active(self) -> bool:
        """Work on the viewer's active layer, if there is one; tell whether that is possible."""
        active = self._viewer.layers.selection.active
        if active is None:
            return True
        if active in self._watch.images():
            self.select(active)
            return bool(active == self._layer)
        kind = "shows a result" if is_by_product(active) else "is no image"
        text = f"{active.name!r} {kind}: choose the image that the microscope recorded."
        self._view.show_message(Tone.ERROR, text)
        return False

    def choose_model(self, folder: str | Path) -> None:
        """Use the model in a folder, and offer it from now on."""
        try:
            model = self._session.models.add_folder(folder)
        except (ModelError, OSError) as error:
            self._view.show_message(Tone.ERROR, str(error))
        else:
            self._view.show_message(Tone.INFO, "")
            self._use_model(model)

    def take_scale_as_um(self) -> None:
        """Take the layer's scale, which has no unit of length, as µm."""
        if self._layer is not None:
            take_scale_as_um(self._layer)

    def estimate(self) -> None:
        """Estimate the blur of the layer."""
        layer, wanted = self._layer, self.resolved
        if self._may_run(wanted) and layer is not None:
            self._wanted = wanted
            task = estimate_task(pixels_of(layer), wanted)
            self._slot.run(task, partial(self._take_blur, layer))

    def deblur(self) -> None:
        """Deblur the layer, estimating its blur first where that was not done."""
        layer, wanted = self._layer, self.resolved
        if self._may_run(wanted) and layer is not None:
            self._wanted = wanted
            result = self._session.results.of(layer)
            fits = result is not None and not result.outdated(wanted)
            known = result.estimated if result is not None and fits else None
            task = deblur_task(pixels_of(layer), wanted, known)
            self._slot.run(task, partial(self._take_sharp, layer, is_new=known is None))

    def cancel(self) -> None:
        """Stop the task; what it found is dropped."""
        self._stop(Tone.INFO, "Cancelled.")

    def save(self, path: str | Path) -> None:
        """Write the layer's blur to a JSON file, in place of what was there."""
        result = self._session.results.of(self._layer)
        if result is None:
            self._view.show_message(Tone.ERROR, "There is no blur to save: estimate it first.")
            return
        path = Path(path)
        path = path if path.suffix == ".json" else path.with_name(f"{path.name}.json")
        try:
            result.estimated.blur.save(path, overwrite=True)
        except OSError as error:
            self._view.show_message(Tone.ERROR, f"The blur was not saved: {error}")
        else:
            self._view.show_message(Tone.GOOD, f"Saved the blur to {path.name}.")

    def load(self, path: str | Path) -> None:
        """Take the layer's blur from a file."""
        layer = self._layer
        if layer is None:
            self._view.show_message(Tone.ERROR, "Open the image that the blur is for first.")
        elif facts_of(layer).problem:
            self._view.show_message(Tone.ERROR, facts_of(layer).problem)
        elif not self.busy:
            self._wanted = None
            take = partial(self._take_loaded, layer, Path(path).name)
            self._slot.run(load_task(blur_request(layer, path)), take)

    def close(self) -> None:
        """Stop listening and drop what runs."""
        self._slot.silence()
        self._watch.close()
        self._display.close()
        self.settings.events.disconnect(self._on_settings)

    def _may_run(self, wanted: Resolved) -> bool:
        if self.busy:
            self._say_busy()
            return False
        if not wanted.can_run:
            self._view.show_message(Tone.ERROR, wanted.message)
        return wanted.can_run

    def _say_busy(self) -> None:
        assert self._layer is not None
        text = f"Still at work on {self._layer.name!r}: wait until it is done, or press Cancel."
        self._view.show_message(Tone.WARNING, text)

    def _stop(self, tone: Tone, text: str) -> None:
        """Drop the task, if one runs, and say why."""
        if self.busy:
            self._slot.abandon()
            self._view.show_message(tone, text)

    # Answers

    def _take_blur(self, layer: Image, estimated: Estimated) -> None:
        self._keep(layer, estimated)
        self._report(f"Estimated the blur of {layer.name!r}.", estimated.blur)

    def _take_sharp(self, layer: Image, result: Deblurred, *, is_new: bool) -> None:
        if is_new:
            self._keep(layer, result.estimated)
        self._layers.show_deblurred(layer, result)
        self._session.results.keep_check(layer, result.check)
        self._refresh()
        text = sentences.deblurred_text(layer.name, result.check)
        self._report(text, result.estimated.blur, result.check)

    def _take_loaded(self, layer: Image, file_name: str, estimated: Estimated) -> None:
        blur = estimated.blur
        self.settings.update(blur.optics.model_dump() | {"per": blur.per})
        self._use_model(self._session.models.add(blur.model))
        self._keep(layer, estimated, file_name=file_name)
        self._report(f"Loaded the blur of {layer.name!r} from {file_name}.", blur)

    def _report(self, text: str, blur: BlurEstimate, check: DeblurringCheck | None = None) -> None:
        """Tell how a task ended, and once that there are doubts to read below."""
        doubts = sentences.doubts_about_image(check) or sentences.doubts_about_blur(blur)
        self._slot.report(text, *filter(None, [doubts]))

    def _keep(self, layer: Image, estimated: Estimated, *, file_name: str = "") -> None:
        """Remember a layer's blur and show its PSFs."""
        self._layers.show_blur(layer, estimated)
        self._session.results.keep(layer, estimated.without_mosaics(), file_name=file_name)
        self._refresh()

    def _use_model(self, model: str) -> None:
        self._view.show_models(self._session.models.cards)
        self.settings.model = model
        # A list that was filled anew has no choice, and settings that stay as they were are quiet.
        self._refresh()

    # Viewer and settings

    def _choose_first(self) -> None:
        """Select the active layer, else the one that was worked on last, else the topmost."""
        images = self._watch.images()
        candidates = [self._viewer.layers.selection.active, self._session.last_layer, *images]
        self.select(next((layer for layer in candidates if layer in images), None))

    def _refresh(self) -> None:
        resolved = self.resolved
        self._view.show_resolved(resolved)
        self._display.show(self._layer, resolved)

    def _on_settings(self) -> None:
        if self._layer is not None:
            self._session.remember(self._layer)
        self._refresh()

    def _on_listed(self) -> None:
        images = self._watch.images()
        self._session.results.keep_only(images)
        left = self._layer
        if left is not None and left in images:
            self.select(left)
            return
        was_busy = self.busy
        self._slot.abandon()
        self._choose_first()
        if left is not None and was_busy:
            text = f"{left.name!r} was removed: the work on it was stopped."
            self._view.show_message(Tone.WARNING, text)

    def _on_edited(self, layer: Any, what: str) -> None:
        was_known = self._session.results.of(layer) is not None
        if what == "data":
            self._session.results.forget(layer)
        if layer == self._layer:
            if was_known and what == "data":
                text = f"The pixels of {layer.name!r} changed: its estimate does not hold any more."
                self._view.show_message(Tone.WARNING, text)
            self._stop_if_unfit(layer, what)
            self._refresh()
        result = self._session.results.of(layer)
        if result is not None:
            self._layers.move_blur(layer, result.estimated)

    def _stop_if_unfit(self, layer: Image, what: str) -> None:
        """Stop a task whose image is not any more what it was started with."""
        was, now = self._wanted, self.resolved
        changed = ""
        if what == "data":
            changed = "pixels"
        elif was is not None and (was.optics, was.axes) != (now.optics, now.axes):
            changed = "pixel size or axes"
        if changed:
            text = f"The {changed} of {layer.name!r} changed: the work on it was stopped."
            self._stop(Tone.WARNING, text)
