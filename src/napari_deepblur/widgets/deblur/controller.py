"""Behaviour of the dock Deep-Blur: follows the viewer and ties the sections' actions together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from napari_deepblur.engine.model_card import ModelCard
from napari_deepblur.widgets.deblur.compare.actions import CompareActions
from napari_deepblur.widgets.deblur.display import ResultDisplay
from napari_deepblur.widgets.deblur.preview.actions import PreviewActions
from napari_deepblur.widgets.deblur.psf_actions import PsfActions
from napari_deepblur.widgets.deblur.readiness import Resolved
from napari_deepblur.widgets.deblur.session import Session
from napari_deepblur.widgets.deblur.settings import DeblurSettings
from napari_deepblur.widgets.deblur.sharp_actions import SharpActions
from napari_deepblur.widgets.deblur.view import DeblurView
from napari_deepblur.widgets.deblur.work import Work
from napari_deepblur.widgets.layers.by_product import is_by_product
from napari_deepblur.widgets.layers.channels import split_channels
from napari_deepblur.widgets.layers.cursor import Pace
from napari_deepblur.widgets.layers.facts import name_axes, take_scale_as_um
from napari_deepblur.widgets.layers.stack_plane import go_to_index, go_to_plane
from napari_deepblur.widgets.layers.watch import LayerWatch
from napari_deepblur.widgets.made import Made
from napari_deepblur.widgets.parts.tone import Tone
from napari_deepblur.widgets.tasks.task_slot import Later, StartTask, TaskSlot

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

__all__ = ["DeblurController"]


class DeblurController:
    """Behaviour of the dock, without Qt.

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
    later
        Function that waits for the window between steps; by default none waits.
    pace
        Limit on how often the PSF under the mouse is looked up; by default there is none.

    Attributes
    ----------
    psf
        Actions of the section PSF.
    sharp
        Actions of the section Deblur.
    preview
        Actions of the preview.
    compare
        Actions of the comparison.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        view: DeblurView,
        session: Session,
        *,
        start: StartTask,
        later: Later = lambda function: function(),
        pace: Pace = lambda function: function,
    ) -> None:
        self._work = Work(viewer, view, session, TaskSlot(view, start, later))
        self._watch = LayerWatch(viewer)
        self._watch.listed.connect(self._on_listed)
        self._watch.edited.connect(self._on_edited)
        viewer.layers.selection.events.active.connect(self._on_active)
        self._display = ResultDisplay(viewer, view, session.results, pace)
        self._work.changed.connect(self._refresh)
        self._made = Made.of(viewer)
        self._made.changed.connect(self._refresh)
        self.settings.events.connect(self._on_settings)
        self.psf = PsfActions(self._work)
        self.sharp = SharpActions(self._work)
        self.preview = PreviewActions(self._work)
        self.compare = CompareActions(self._work)
        self._choose_first()

    @property
    def settings(self) -> DeblurSettings:
        """The user's wishes."""
        return self._work.session.settings

    @property
    def layer(self) -> Image | None:
        """The layer that is worked on."""
        return self._work.layer

    @property
    def models(self) -> Mapping[str, ModelCard]:
        """Models on offer, by bundled name or folder."""
        return self._work.session.models.cards

    @property
    def resolved(self) -> Resolved:
        """Values that a task would be started with now, or the reason why none can be."""
        return self._work.resolved

    @property
    def busy(self) -> bool:
        """True while a task runs."""
        return self._work.busy

    def select(self, layer: Image | None) -> None:
        """Work on another layer, with the settings as they were left there; not during a task."""
        images, work = self._watch.images(), self._work
        if layer != work.layer and self.busy:
            work.say_busy()
        elif layer != work.layer:
            work.layer = next((image for image in images if image == layer), None)
            work.view.show_message(Tone.INFO, "")
            if work.layer is not None:
                work.session.turn_to(work.layer)
        work.view.show_layers(images, work.layer)
        self._refresh()

    def select_active(self) -> bool:
        """Work on the viewer's active layer, if there is one; tell whether that is possible."""
        active = self._work.viewer.layers.selection.active
        if active is None:
            return True
        if active in self._watch.images():
            self.select(active)
            return bool(active == self.layer)
        kind = "shows a result" if is_by_product(active) else "is no image"
        text = f"{active.name!r} {kind}: choose the image that the microscope recorded."
        self._work.view.show_message(Tone.ERROR, text)
        return False

    def take_scale_as_um(self) -> None:
        """Take the layer's scale, which has no unit of length, as µm."""
        if self.layer is not None:
            take_scale_as_um(self.layer)

    def accept_remembered(self) -> None:
        """Take the optical values of last time for this image, as if they were typed."""
        self.settings.update(self.resolved.remembered)

    def name_axes(self, letters: str) -> None:
        """Take letters of TCZYX as the names of the layer's axes."""
        if self.layer is not None:
            name_axes(self.layer, letters)

    def split_channels(self) -> None:
        """Put the layer's channels into layers of their own, in place of it."""
        layer = self.layer
        if layer is not None and not self.busy:
            split_channels(self._work.viewer, layer)

    def go_to_plane(self, plane: int) -> None:
        """Move the viewer's sliders to a plane that has a blur of its own, or to a time point."""
        layer, result = self.layer, self._work.session.results.of(self.layer)
        if layer is None or result is None:
            return
        if result.estimated.is_3d:
            go_to_index(self._work.viewer, layer, "T", plane)
        else:
            go_to_plane(self._work.viewer, layer, plane)

    def cancel(self) -> None:
        """Stop the task; of what it found, finished planes and the blur are kept."""
        self._work.stop(Tone.INFO, "Cancelled.")

    def close(self) -> None:
        """Stop listening and drop what runs."""
        self._work.slot.silence()
        self._watch.close()
        self._work.viewer.layers.selection.events.active.disconnect(self._on_active)
        self._display.close()
        self.compare.close()
        self._made.changed.disconnect(self._refresh)
        self.settings.events.disconnect(self._on_settings)

    # Viewer and settings

    def _choose_first(self) -> None:
        """Select the active layer, else the one that was worked on last, else the topmost."""
        images = self._watch.images()
        active = self._work.viewer.layers.selection.active
        candidates = [active, self._work.session.last_layer, *images]
        self.select(next((layer for layer in candidates if layer in images), None))

    def _refresh(self) -> None:
        self._work.session.propose_model(self.resolved.optics)
        resolved = self.resolved
        self._work.view.show_resolved(resolved)
        self._display.show(self.layer, resolved)
        waits = self.layer is not None and self._work.layers.preview_of(self.layer) is not None
        self._work.view.show_preview(waits=waits)
        self.compare.check()
        self._work.view.show_comparison(self.compare.state)
        self._work.view.show_question(self._work.question(resolved))
        self._work.view.show_cost(*self._work.cost_line(resolved))

    def _on_settings(self) -> None:
        if self.layer is not None:
            self._work.session.remember(self.layer)
            self._work.put_back(self.layer)
        self._refresh()

    def _on_active(self) -> None:
        """Work on the layer that the user turned to, or the image of that result; not in a task."""
        active, images = self._work.viewer.layers.selection.active, self._watch.images()
        if active is None or self.busy or self._is_psf(active):
            return
        source = self._work.session.sources.get(active, active.unique_id)
        image = next((layer for layer in images if layer.unique_id == source), None)
        if image is not None and image != self.layer:
            self.select(image)

    def _is_psf(self, layer: Any) -> bool:
        """Tell whether a layer is looked at as the PSF image, or while one is asked for."""
        if self.settings.psf_source != "psf":
            return False
        return bool(self.resolved.known.ask) or layer.unique_id == self.settings.psf_image

    def _on_listed(self) -> None:
        images = self._watch.images()
        self._work.session.results.keep_only(images)
        self.sharp.stop_if_removed()
        left = self.layer
        if left is not None and left in images:
            self.select(left)
            return
        was_busy, kept = self.busy, self._work.slot.abandon()
        self._choose_first()
        if left is not None and was_busy:
            text = f"{left.name!r} was removed: the work on it was stopped."
            self._work.view.show_message(Tone.WARNING, f"{text} {kept}".rstrip())

    def _on_edited(self, layer: Any, what: str) -> None:
        results = self._work.session.results
        was_known = results.of(layer) is not None
        if what == "data":
            results.forget(layer)
            self.compare.stop_if_edited(layer)
        if layer == self.layer:
            if was_known and what == "data":
                text = f"The pixels of {layer.name!r} changed: its estimate does not hold any more."
                self._work.view.show_message(Tone.WARNING, text)
            self._stop_if_unfit(layer, what)
            self._refresh()
        result = results.of(layer)
        if result is not None:
            self._work.layers.move_blur(layer, result.estimated)

    def _stop_if_unfit(self, layer: Image, what: str) -> None:
        """Stop a task whose image is not any more what it was started with."""
        was, now = self._work.wanted, self.resolved
        changed = ""
        if what == "data":
            changed = "pixels"
        elif was is not None and _grid(was) != _grid(now):
            changed = "pixel size or axes"
        if changed:
            text = f"The {changed} of {layer.name!r} changed: the work on it was stopped."
            self._work.stop(Tone.WARNING, text)


def _grid(wanted: Resolved) -> tuple[Any, ...]:
    """Name what of a task's start an edit of its layer can change."""
    return wanted.optics, wanted.axes, wanted.z_step_um
