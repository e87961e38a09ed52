"""Behaviour of the dock "Calibrate from beads": follows the viewer, ties the actions together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from napari.layers import Image

from napari_deepblur.widgets.calibrate.bead_actions import BeadActions
from napari_deepblur.widgets.calibrate.readiness import CalibrationPlan
from napari_deepblur.widgets.calibrate.result_actions import ResultActions
from napari_deepblur.widgets.calibrate.session import CalibrationSession, key_of
from napari_deepblur.widgets.calibrate.summary import summary_of
from napari_deepblur.widgets.calibrate.view import CalibrateView
from napari_deepblur.widgets.calibrate.wishes import CalibrationWishes
from napari_deepblur.widgets.calibrate.work import CalibrationWork
from napari_deepblur.widgets.layers.facts import facts_of, take_scale_as_um
from napari_deepblur.widgets.layers.optics_fields import OPTICS_FIELDS
from napari_deepblur.widgets.layers.watch import LayerWatch
from napari_deepblur.widgets.parts.tone import Tone
from napari_deepblur.widgets.tasks.task_slot import Later, StartTask, TaskSlot

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["CalibrateController"]

#: Edits that put a layer elsewhere and leave its pixels and their size as they are.
_MOVES = ("translate", "rotate")


class CalibrateController:
    """Behaviour of the dock, without Qt.

    Parameters
    ----------
    viewer
        napari viewer to read layers from and add results to.
    view
        The dock.
    session
        Choices and calibrations, which outlive the dock.
    start
        Function that runs a task.
    later
        Function that waits for the window between steps; by default none waits.

    Attributes
    ----------
    beads
        Actions of the section Beads.
    result
        Actions of the section PSF.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        view: CalibrateView,
        session: CalibrationSession,
        *,
        start: StartTask,
        later: Later = lambda function: function(),
    ) -> None:
        self._viewer = viewer
        self._view = view
        self._work = work = CalibrationWork(viewer, view, session, TaskSlot(view, start, later))
        self.beads, self.result = BeadActions(work), ResultActions(work)
        work.beads.edited.connect(self._on_points_edited)
        work.changed.connect(self._show_state)
        self._watch = LayerWatch(viewer)
        self._watch.listed.connect(self._on_listed)
        self._watch.edited.connect(self._on_edited)
        self.wishes.events.connect(self._show_plan)
        viewer.layers.selection.events.active.connect(self._on_active)
        self._choose_first()

    @property
    def wishes(self) -> CalibrationWishes:
        """Choices of the user."""
        return self._work.session.wishes

    @property
    def layers(self) -> Sequence[Image]:
        """Layers to calibrate from, in the order of their acquisitions."""
        return tuple(self._work.layers)

    @property
    def plan(self) -> CalibrationPlan:
        """Plan of what would be computed now."""
        return self._work.plan

    @property
    def busy(self) -> bool:
        """True while a task runs."""
        return self._work.slot.busy

    def select(self, layers: Sequence[Image]) -> None:
        """Calibrate from other layers; values that were typed for a former first one go."""
        self._work.session.loaded = None
        self._turn_to(layers)

    def take_scale_as_um(self) -> None:
        """Take the scale of the layers, which has no unit of length, as µm."""
        for layer in self._work.layers:
            take_scale_as_um(layer)

    def cancel(self) -> None:
        """Stop the task; what it found is dropped."""
        self._work.stop(Tone.INFO, "Cancelled.")

    def close(self) -> None:
        """Stop listening and drop what runs."""
        self._work.slot.silence()
        self._watch.close()
        self.wishes.events.disconnect(self._show_plan)
        self._viewer.layers.selection.events.active.disconnect(self._on_active)
        self._work.beads.close()

    # Viewer and settings

    def _images(self) -> list[Image]:
        """Image layers in the order in which they were opened."""
        return self._watch.images()[::-1]

    def _choose_first(self) -> None:
        """Take the active layer, else those that were worked on last, else the topmost."""
        active, images = self._viewer.layers.selection.active, self._images()
        last = [layer for layer in images if layer.unique_id in self._work.session.chosen]
        self._turn_to([active] if active in images else last or images[-1:])

    def _turn_to(self, layers: Sequence[Image]) -> None:
        work, images = self._work, self._images()
        chosen = [layer for layer in images if layer in layers]
        if chosen != work.layers:
            work.slot.abandon()
            self._view.show_message(Tone.INFO, "")
            self._view.show_report(None)
            work.layers = chosen
            if chosen and key_of(chosen[:1]) != work.session.chosen[:1]:
                self._forget_typed(chosen[0])
            work.session.chosen = key_of(chosen)
        self._view.show_layers(images, chosen)
        self._show_plan()
        self._show_state()

    def _forget_typed(self, layer: Image) -> None:
        known = facts_of(layer).known
        stale = [name for name in OPTICS_FIELDS if name in known or name == "pixel_size_um"]
        self.wishes.update(dict.fromkeys(stale))

    def _show_plan(self) -> None:
        self._view.show_plan(self.plan)

    def _show_state(self) -> None:
        counts = self._work.beads.counts(self._work.layers)
        self._view.show_beads(counts)
        shown = self._work.calibrated
        if shown is None:
            self._view.show_result(None)
            return
        title, calibrated = shown
        # The table of the result lacks beads that were rejected before the user's edits.
        n_seen = sum((counts or {}).values()) if self._work.session.loaded is None else 0
        n_beads = max(n_seen, len(calibrated.result.beads))
        self._view.show_result(summary_of(calibrated, title, n_beads=n_beads))

    def _on_points_edited(self) -> None:
        self._work.stop(Tone.INFO, "Stopped, because the beads were edited.")
        self._show_state()

    def _on_active(self) -> None:
        """Show the circles of the image that is looked at, and no others on top of them."""
        active = self._viewer.layers.selection.active
        if isinstance(active, Image) and active in self._work.layers:
            self._work.beads.show_only(active)

    def _on_listed(self) -> None:
        work, images = self._work, self._images()
        work.beads.drop_removed()
        work.keep_only(images)
        left = [layer for layer in work.layers if layer in images]
        was_busy, n_before = self.busy, len(work.layers)
        self._turn_to(left or images[-1:])
        if was_busy and len(left) < n_before:
            self._view.show_message(Tone.WARNING, "Stopped, because an image was removed.")

    def _on_edited(self, layer: Any, what: str) -> None:
        work = self._work
        if layer not in work.layers:
            return
        if what not in _MOVES:
            work.stop(Tone.WARNING, f"Stopped, because the {what} of {layer.name!r} changed.")
            work.forget_found(layer)
        work.beads.follow(layer)
        self._show_plan()
