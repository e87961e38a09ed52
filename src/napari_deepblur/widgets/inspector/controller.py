"""Behaviour of the dock PSF inspector, without Qt."""

from __future__ import annotations

from collections.abc import Hashable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from napari_deepblur.calibration.result import CalibrationResult
from napari_deepblur.widgets.inspector.compare import comparison_of
from napari_deepblur.widgets.inspector.inspected import Inspected, Source, open_task
from napari_deepblur.widgets.inspector.view import InspectorView
from napari_deepblur.widgets.layers.cursor import CursorWatch, Pace
from napari_deepblur.widgets.made import Made
from napari_deepblur.widgets.parts.tone import Tone
from napari_deepblur.widgets.tasks.task_slot import StartTask, TaskSlot

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["InspectorController"]

#: Place of the calibration that was made last in the viewer.
_MADE = "calibration"


class InspectorController:
    """Offers the blurs that there are, and shows one or two of them.

    Parameters
    ----------
    viewer
        napari viewer with the sliders, the mouse and the layers that have blurs.
    view
        The dock.
    start
        Function that runs a task elsewhere.
    pace
        Limit on how often the PSF under the mouse is looked up.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        view: InspectorView,
        *,
        start: StartTask,
        pace: Pace = lambda function: function,
    ) -> None:
        self._viewer, self._view = viewer, view
        self._slot = TaskSlot(view, start)
        self._made = Made.of(viewer)
        self._opened: dict[Path, Source] = {}
        self._chosen: list[Hashable] = [None, None]
        self._cursor = CursorWatch(viewer, pace)
        self._cursor.moved.connect(self._on_moved)
        self._made.changed.connect(self.refresh)
        viewer.layers.events.removed.connect(self.refresh)
        viewer.dims.events.current_step.connect(self._show)
        self.refresh()

    @property
    def busy(self) -> bool:
        """True while a file is read."""
        return self._slot.busy

    def choose(self, side: int, value: Hashable) -> None:
        """Show another blur first (0) or second (1); None shows none."""
        self._chosen[side] = value
        self.refresh()

    def show_made(self) -> None:
        """Show the calibration that was made or loaded last in this viewer."""
        self.choose(0, (_MADE, 0))

    def open(self, side: int, path: str | Path) -> None:
        """Read a blur file or a calibration's folder, and show it first (0) or second (1)."""
        path = Path(path).resolve()
        if not self.busy:
            self._slot.run(open_task(path), partial(self._take_opened, side, path))

    def refresh(self) -> None:
        """Offer the blurs that there are now; the first is shown where none is chosen."""
        offers = self._offers()
        self._chosen = [value if value in offers else None for value in self._chosen]
        if self._chosen[0] is None:
            self._chosen[0] = next(iter(offers), None)
        choices = [(one.name, value) for value, one in offers.items()]
        self._view.show_choices(choices, tuple(self._chosen))
        self._show()

    def close(self) -> None:
        """Stop listening and drop what runs."""
        self._slot.silence()
        self._cursor.close()
        self._made.changed.disconnect(self.refresh)
        self._viewer.layers.events.removed.disconnect(self.refresh)
        self._viewer.dims.events.current_step.disconnect(self._show)

    def _offers(self) -> dict[Hashable, Inspected]:
        offers: dict[Hashable, Inspected] = {}
        for layer in reversed(self._viewer.layers):
            blur = self._made.blurs.get(layer)
            if blur is not None:
                offers[layer.unique_id] = Inspected(layer.name, blur, layer)
        if self._made.result is not None:
            offers |= _acquisitions(_MADE, self._made.result)
        for path, source in self._opened.items():
            if isinstance(source, CalibrationResult):
                offers |= _acquisitions(str(path), source)
            else:
                offers[path] = Inspected(path.name, source)
        return offers

    def _take_opened(self, side: int, path: Path, source: Source) -> None:
        self._opened[path] = source
        is_calibration = isinstance(source, CalibrationResult)
        self.choose(side, (str(path), 0) if is_calibration else path)
        self._view.show_message(Tone.GOOD, f"Opened {path.name}.")

    def _on_moved(self) -> None:
        offers = self._offers()
        if any(value in offers and offers[value].field_shape for value in self._chosen):
            self._show()

    def _show(self) -> None:
        offers = self._offers()
        chosen = [offers[value] for value in self._chosen if value in offers]
        self._view.show_comparison(comparison_of(self._viewer, chosen))


def _acquisitions(place: str, result: CalibrationResult) -> dict[Hashable, Inspected]:
    name = Path(place).name
    return {
        (place, number): Inspected(f"{name}: {title}", result, acquisition=number)
        for number, title in enumerate(result.names)
    }
