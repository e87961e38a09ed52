"""Things that all actions of the dock share: the layers, their beads, and the one task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from psygnal import Signal

from napari_deepblur.engine.calibrate import FoundBeads
from napari_deepblur.widgets.calibrate.bead_lists import BeadLists
from napari_deepblur.widgets.calibrate.readiness import (
    BeadSource,
    CalibrationPlan,
    plan_calibration,
)
from napari_deepblur.widgets.calibrate.session import CalibrationSession, Key, key_of
from napari_deepblur.widgets.calibrate.tasks import BeadStack, Calibrated
from napari_deepblur.widgets.calibrate.view import CalibrateView
from napari_deepblur.widgets.layers.facts import pixels_of
from napari_deepblur.widgets.layers.stack_plane import current_index
from napari_deepblur.widgets.parts.tone import Tone
from napari_deepblur.widgets.tasks.task_slot import TaskSlot

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_deepblur.calibration.settings import CalibrationSettings

__all__ = ["CalibrationWork"]


class CalibrationWork:
    """Layers to calibrate from, and the task that works on them.

    Attributes
    ----------
    viewer
        napari viewer that gets the results.
    view
        The dock.
    session
        Choices and calibrations, which outlive the dock.
    slot
        The one task.
    beads
        Beads as points layers.
    layers
        The chosen layers, in the order of their acquisitions.
    found
        Beads as they were found, by layers.
    """

    #: Beads or calibrations changed.
    changed = Signal()

    def __init__(
        self,
        viewer: ViewerModel,
        view: CalibrateView,
        session: CalibrationSession,
        slot: TaskSlot,
    ) -> None:
        self.viewer = viewer
        self.view = view
        self.session = session
        self.slot = slot
        self.beads = BeadLists(viewer)
        self.layers: Sequence[Image] = ()
        self.found: dict[Key, FoundBeads] = {}

    @property
    def plan(self) -> CalibrationPlan:
        """Plan of what would be computed now."""
        sources = [BeadSource.of(layer) for layer in self.layers]
        plane = current_index(self.viewer, self.layers[0], "Z") if self.layers else 0
        return plan_calibration(self.session.wishes, sources, plane)

    @property
    def calibrated(self) -> tuple[str, Calibrated] | None:
        """Name and content of the calibration that is shown: the loaded one, or the layers' own."""
        if self.session.loaded is not None:
            return self.session.loaded
        own = self.session.results.get(key_of(self.layers))
        return None if own is None else (", ".join(layer.name for layer in self.layers), own)

    def may_run(self, plan: CalibrationPlan) -> bool:
        """Tell whether a task can be started now; where not, the view says why."""
        if self.slot.busy:
            return False
        if not plan.can_run:
            self.view.show_message(Tone.ERROR, plan.message)
        return plan.can_run

    def stop(self, tone: Tone, text: str) -> None:
        """Drop the task, if one runs, and say why."""
        if self.slot.busy:
            self.slot.abandon()
            self.view.show_message(tone, text)

    def stack(self, plan: CalibrationPlan, *, again: bool = False) -> BeadStack:
        """Arrays and settings; `again` in the plane in which the beads were found."""
        assert plan.settings is not None
        settings, known = plan.settings, self.beads.of(self.layers[0])
        if again and known is not None and isinstance(settings.plane, int):
            settings = settings.model_copy(update={"plane": known.plane})
        return BeadStack(
            tuple(pixels_of(layer) for layer in self.layers),
            tuple(layer.name for layer in self.layers),
            plan.axes,
            settings,
            self._found_by(settings) if again else None,
        )

    def forget_found(self, layer: Image) -> None:
        """Forget what was found in a layer that is not any more what it was."""
        for key in [key for key in self.found if layer.unique_id in key]:
            del self.found[key]

    def keep_only(self, layers: Sequence[Image]) -> None:
        """Forget what belongs to layers that are gone."""
        self.session.keep_only(layers)
        there = {layer.unique_id for layer in layers}
        for key in [key for key in self.found if not there.issuperset(key)]:
            del self.found[key]

    def _found_by(self, settings: CalibrationSettings) -> FoundBeads | None:
        """Beads that were found in the same planes of the chosen layers."""
        found = self.found.get(key_of(self.layers))
        same = found is not None and (found.settings.plane, found.settings.z_range) == (
            settings.plane,
            settings.z_range,
        )
        return found if same else None
