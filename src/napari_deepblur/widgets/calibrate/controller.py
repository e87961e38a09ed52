"""Controller of the dock "Calibrate from beads": viewer, wishes, tasks and view, without Qt."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Image

from napari_deepblur.calibration.beads.status import BeadStatus
from napari_deepblur.calibration.trust import Trust
from napari_deepblur.widgets.calibrate.bead_lists import BeadLists, times_of
from napari_deepblur.widgets.calibrate.bead_points import BeadsInPlane, joined
from napari_deepblur.widgets.calibrate.layers import calibration_layers
from napari_deepblur.widgets.calibrate.readiness import (
    BeadSource,
    CalibrationPlan,
    plan_calibration,
)
from napari_deepblur.widgets.calibrate.summary import summary_of
from napari_deepblur.widgets.calibrate.tasks import (
    BeadStack,
    Calibrated,
    calibrate_task,
    find_task,
    save_task,
)
from napari_deepblur.widgets.calibrate.view import CalibrateView
from napari_deepblur.widgets.calibrate.wishes import CalibrationWishes
from napari_deepblur.widgets.layers.facts import facts_of, pixels_of
from napari_deepblur.widgets.layers.optics_fields import OPTICS_FIELDS
from napari_deepblur.widgets.layers.stack_plane import current_index
from napari_deepblur.widgets.layers.watch import LayerWatch
from napari_deepblur.widgets.made import Made
from napari_deepblur.widgets.parts.tone import Tone
from napari_deepblur.widgets.tasks.task_slot import StartTask, TaskSlot

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_deepblur.calibration.settings import CalibrationSettings
    from napari_deepblur.engine.calibrate import FoundBeads, Positions

__all__ = ["CalibrateController"]

_ADD_BY_HAND = "Add points by hand, or take an image of bright, single beads on a dark ground."
_NEXT = (
    "Saved to {folder}. To train a model for this microscope, name this folder in a configuration "
    "and run: deepblur train identification CONFIG (documentation: How to, Train a model)."
)
_NO_FAMILY = (
    "Saved to {folder}. This is one blur: to train a model that tells several apart (deepblur "
    "train identification CONFIG), calibrate from three or more acquisitions that differ."
)
#: Acquisitions that a family to be trained for needs.
_FEWEST_TO_TRAIN = 3


_Key = tuple[Hashable, ...]

#: Edits that put a layer elsewhere and leave its pixels and their size as they are.
_MOVES = ("translate", "rotate")


class CalibrateController:
    """Behaviour of the dock, independent of Qt.

    Parameters
    ----------
    viewer
        napari viewer to read layers from and add results to.
    view
        The dock.
    settings
        Choices of the user.
    start
        Function that runs a task.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        view: CalibrateView,
        settings: CalibrationWishes,
        *,
        start: StartTask,
    ) -> None:
        self._viewer = viewer
        self._view = view
        self.settings = settings
        self._layers: list[Image] = []
        self._beads = BeadLists(viewer)
        self._beads.edited.connect(self._on_points_edited)
        self._shown: dict[Hashable, list[Image]] = {}
        # Of chosen layers, by their ids: what was found and what came of it.
        self._found: dict[_Key, FoundBeads] = {}
        self._results: dict[_Key, Calibrated] = {}
        self._slot = TaskSlot(view, start)
        self._watch = LayerWatch(viewer)
        self._watch.listed.connect(self._on_listed)
        self._watch.edited.connect(self._on_edited)
        settings.events.connect(self._show_plan)
        viewer.layers.selection.events.active.connect(self._on_active)
        active = viewer.layers.selection.active
        images = self._images()
        self.select([active] if active in images else images[-1:])

    @property
    def layers(self) -> Sequence[Image]:
        """Layers to calibrate from, in the order of their acquisitions."""
        return tuple(self._layers)

    @property
    def plan(self) -> CalibrationPlan:
        """Plan of what would be computed now."""
        sources = [BeadSource.of(layer) for layer in self._layers]
        plane = current_index(self._viewer, self._layers[0], "Z") if self._layers else 0
        return plan_calibration(self.settings, sources, plane)

    @property
    def busy(self) -> bool:
        """True while a task runs."""
        return self._slot.busy

    def select(self, layers: Sequence[Image]) -> None:
        """Calibrate from other layers; values that were typed for a former first one go."""
        chosen = [layer for layer in self._images() if layer in layers]
        if chosen != self._layers:
            self._slot.abandon()
            self._view.show_message(Tone.INFO, "")
            self._view.show_report(None)
            is_other = chosen[:1] != self._layers[:1]
            self._layers = chosen
            if is_other and chosen:
                self._forget_typed(chosen[0])
        self._view.show_layers(self._images(), chosen)
        self._show_plan()
        self._show_beads()
        self._show_result()

    def find(self) -> None:
        """Find the beads of the chosen layers, in place of the former points."""
        plan, layers = self.plan, self._layers
        if self._may_run(plan):
            task = find_task(self._stack(plan))
            self._slot.run(task, partial(self._take_found, list(layers)))

    def calibrate(self) -> None:
        """Calibrate from the beads as they are; where none were looked for, find them first."""
        plan, layers = self.plan, self._layers
        if self._may_run(plan):
            positions = self._beads.positions(layers)
            task = calibrate_task(self._stack(plan, again=True), positions)
            self._slot.run(task, partial(self._take_calibrated, list(layers), positions))

    def cancel(self) -> None:
        """Stop the task; what it found is dropped."""
        if self.busy:
            self._slot.abandon()
            self._view.show_message(Tone.INFO, "Cancelled.")

    def save(self, folder: str | Path, *, overwrite: bool = False) -> None:
        """Write the calibration's folder."""
        calibrated = self._results.get(_key(self._layers))
        if calibrated is None:
            self._view.show_message(Tone.ERROR, "There is no calibration to save yet.")
        elif not self.busy:
            task = save_task(calibrated.result, Path(folder), overwrite=overwrite)
            self._slot.run(task, partial(self._take_saved, calibrated))

    def close(self) -> None:
        """Stop listening and drop what runs."""
        self._slot.silence()
        self._watch.close()
        self.settings.events.disconnect(self._show_plan)
        self._viewer.layers.selection.events.active.disconnect(self._on_active)
        self._beads.close()

    def _may_run(self, plan: CalibrationPlan) -> bool:
        if self.busy:
            return False
        if not plan.can_run:
            self._view.show_message(Tone.ERROR, plan.message)
        return plan.can_run

    def _stack(self, plan: CalibrationPlan, *, again: bool = False) -> BeadStack:
        """Arrays and settings; `again` in the plane in which the beads were found."""
        assert plan.settings is not None
        settings, known = plan.settings, self._beads.of(self._layers[0])
        if again and known is not None and isinstance(settings.plane, int):
            settings = settings.model_copy(update={"plane": known.plane})
        return BeadStack(
            tuple(pixels_of(layer) for layer in self._layers),
            tuple(layer.name for layer in self._layers),
            plan.axes,
            settings,
            self._found_by(settings) if again else None,
        )

    def _found_by(self, settings: CalibrationSettings) -> FoundBeads | None:
        """Beads that were found in the same planes of the chosen layers."""
        found = self._found.get(_key(self._layers))
        same = found is not None and (found.settings.plane, found.settings.z_range) == (
            settings.plane,
            settings.z_range,
        )
        return found if same else None

    # Answers

    def _take_found(self, layers: Sequence[Image], found: FoundBeads) -> None:
        self._found[_key(layers)] = found
        pairs = zip(found.acquisitions, found.tables, strict=True)
        beads = [BeadsInPlane(one.plane, table) for one, table in pairs]
        for layer, times in times_of(layers):
            self._beads.show(layer, beads[times], found.window)
        self._beads.show_only(layers[0])
        self._beads.go_to(layers[0])
        self._show_beads()
        counts = self._beads.counts(layers) or {}
        n, n_used = sum(counts.values()), counts.get(BeadStatus.USED, 0)
        found_text = f"Found {n} bead{'' if n == 1 else 's'}, {n_used or 'none'} of them usable."
        if n_used:
            self._slot.report(
                f"{found_text} Delete or add points where you know better, then press Calibrate."
            )
        else:
            text = f"{found_text if n else 'No beads found.'} {_ADD_BY_HAND}"
            self._view.show_message(Tone.WARNING, text)

    def _take_calibrated(
        self, layers: Sequence[Image], positions: Positions, calibrated: Calibrated
    ) -> None:
        self._results[_key(layers)] = calibrated
        Made.of(self._viewer).keep(calibrated.result)
        if calibrated.found is not None:
            self._found[_key(layers)] = calibrated.found
        for number, (layer, times) in enumerate(times_of(layers)):
            found = self._screened(layer, times, positions, calibrated)
            self._beads.show(layer, found, calibrated.result.window)
            self._show_result_layers(layer, calibrated, times, is_first=number == 0)
        first = self._beads.of(layers[0])
        assert first is not None
        self._viewer.layers.selection.active = first.points
        self._beads.go_to(layers[0])
        self._show_beads()
        self._show_result()
        self._view.show_report(None)
        result = calibrated.result
        text = f"Calibrated from {result.n_used} bead{'' if result.n_used == 1 else 's'}."
        doubts = [] if result.trust is Trust.GOOD else [f"the PSF is {result.trust.value}"]
        self._slot.report(text, *doubts, *result.notes)

    def _screened(
        self, layer: Image, times: slice, positions: Positions, calibrated: Calibrated
    ) -> list[BeadsInPlane]:
        """Beads of a layer as they were screened last, with those rejected before.

        Where positions were given, the result knows of no others.
        """
        known = self._beads.of(layer)
        beads, found = calibrated.result.beads, []
        for number, t in enumerate(range(times.start, times.stop)):
            table = beads[beads["acquisition"] == t]
            if known is not None and positions[t] is not None:
                table = joined(known.rejected()[number], table)
            found.append(BeadsInPlane(calibrated.planes[t], table))
        return found

    def _take_saved(self, calibrated: Calibrated, folder: Path) -> None:
        self._view.show_report(folder / "report.html")
        n_acquisitions, n_coefficients = calibrated.result.coefficients.shape
        is_family = n_acquisitions >= _FEWEST_TO_TRAIN and n_coefficients > 1
        self._slot.report((_NEXT if is_family else _NO_FAMILY).format(folder=folder))

    def _show_result_layers(
        self, layer: Image, calibrated: Calibrated, times: slice, *, is_first: bool
    ) -> None:
        """Add them below the points, in place of the former ones."""
        for former in self._shown.pop(layer.unique_id, []):
            if former in self._viewer.layers:
                self._viewer.layers.remove(former)
        beads = self._beads.of(layer)
        assert beads is not None
        place = self._viewer.layers.index(beads.points)
        parts = calibration_layers(layer, calibrated, times)
        # The eigen-PSFs are the same for all layers, and mosaics on top of one another a muddle.
        parts = parts if is_first else parts[1:]
        added = [Image(data, **arguments, visible=is_first) for data, arguments in parts]
        for number, image in enumerate(added):
            self._viewer.layers.insert(place + number, image)
        self._shown[layer.unique_id] = added

    # Viewer and settings

    def _images(self) -> list[Image]:
        """Image layers in the order in which they were opened."""
        return self._watch.images()[::-1]

    def _forget_typed(self, layer: Image) -> None:
        known = facts_of(layer).known
        stale = [name for name in OPTICS_FIELDS if name in known or name == "pixel_size_um"]
        self.settings.update(dict.fromkeys(stale))

    def _show_plan(self) -> None:
        self._view.show_plan(self.plan)

    def _show_result(self) -> None:
        calibrated = self._results.get(_key(self._layers))
        if calibrated is None:
            self._view.show_result(None)
            return
        n_beads = sum((self._beads.counts(self._layers) or {}).values())
        names = [layer.name for layer in self._layers]
        self._view.show_result(summary_of(calibrated, names, n_beads=n_beads))

    def _show_beads(self) -> None:
        self._view.show_beads(self._beads.counts(self._layers))

    def _on_points_edited(self) -> None:
        if self.busy:
            self._slot.abandon()
            self._view.show_message(Tone.INFO, "Stopped, because the beads were edited.")
        self._show_beads()

    def _on_active(self) -> None:
        """Show the circles of the image that is looked at, and no others on top of them."""
        active = self._viewer.layers.selection.active
        if isinstance(active, Image) and active in self._layers:
            self._beads.show_only(active)

    def _on_listed(self) -> None:
        self._beads.drop_removed()
        images = self._images()
        there = {layer.unique_id for layer in images}
        for kept in (self._found, self._results):
            for key in [key for key in kept if not there.issuperset(key)]:
                del kept[key]
        left = [layer for layer in self._layers if layer in images]
        was_busy, n_before = self.busy, len(self._layers)
        self.select(left or images[-1:])
        if was_busy and len(left) < n_before:
            self._view.show_message(Tone.WARNING, "Stopped, because an image was removed.")

    def _on_edited(self, layer: Any, what: str) -> None:
        if layer not in self._layers:
            return
        if what not in _MOVES:
            self._stop(f"Stopped, because the {what} of {layer.name!r} changed.")
            for key in [key for key in self._found if layer.unique_id in key]:
                del self._found[key]
        self._beads.follow(layer)
        self._show_plan()

    def _stop(self, text: str) -> None:
        """Drop the task, if one runs, and say why."""
        if self.busy:
            self._slot.abandon()
            self._view.show_message(Tone.WARNING, text)


def _key(layers: Sequence[Image]) -> _Key:
    return tuple(layer.unique_id for layer in layers)
