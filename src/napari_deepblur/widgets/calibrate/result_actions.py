"""Actions of the section PSF: calibrate, save and load a calibration, and go on with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from napari_deepblur.calibration.trust import Trust
from napari_deepblur.widgets.calibrate.bead_actions import screened
from napari_deepblur.widgets.calibrate.bead_lists import times_of
from napari_deepblur.widgets.calibrate.result_layers import ResultLayers
from napari_deepblur.widgets.calibrate.session import key_of
from napari_deepblur.widgets.calibrate.tasks import (
    Calibrated,
    calibrate_task,
    load_task,
    save_task,
)
from napari_deepblur.widgets.calibrate.work import CalibrationWork
from napari_deepblur.widgets.made import Made
from napari_deepblur.widgets.parts.tone import Tone

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_deepblur.engine.calibrate import Positions

__all__ = ["ResultActions"]

_NONE = "There is no calibration yet: press Calibrate, or load one."
_NEXT = (
    " A model for this microscope can be trained from it: deepblur train identification CONFIG "
    "(documentation: How to, From beads to a model)."
)
#: Acquisitions that a family to be trained for needs.
_FEWEST_TO_TRAIN = 3


class ResultActions:
    """Makes calibrations and hands them on.

    Parameters
    ----------
    work
        The layers and the task.
    """

    def __init__(self, work: CalibrationWork) -> None:
        self._work = work
        self._shown = ResultLayers(work.viewer, work.beads)

    def calibrate(self) -> None:
        """Calibrate from the beads as they are; where none were looked for, find them first."""
        work = self._work
        plan, layers = work.plan, work.layers
        if work.may_run(plan):
            positions = work.beads.positions(layers)
            task = calibrate_task(work.stack(plan, again=True), positions)
            work.slot.run(task, partial(self._take, layers, positions))

    def save(self, folder: str | Path, *, overwrite: bool = False) -> None:
        """Write the calibration's folder."""
        calibrated = self._present()
        if calibrated is not None and not self._work.slot.busy:
            task = save_task(calibrated.result, Path(folder), overwrite=overwrite)
            self._work.slot.run(task, partial(self._take_saved, calibrated))

    def load(self, folder: str | Path) -> None:
        """Read a calibration's folder and show it."""
        if not self._work.slot.busy:
            self._work.slot.run(load_task(Path(folder)), partial(self._take_loaded, Path(folder)))

    def hand_on(self) -> bool:
        """Put the calibration that is shown where the other docks find it, if there is one."""
        calibrated = self._present()
        made = Made.of(self._work.viewer)
        if calibrated is not None and made.result is not calibrated.result:
            made.keep(calibrated.result)
        return calibrated is not None

    def show_parts(self) -> None:
        """Add the eigen-PSFs and their weight maps as layers beside the first image."""
        calibrated, layers = self._present(), self._work.layers
        if calibrated is None:
            return
        if calibrated is not self._work.session.results.get(key_of(layers)):
            text = "Layers stand beside the image of beads: choose the one that this was made from."
            self._work.view.show_message(Tone.WARNING, text)
            return
        _, times = next(times_of(layers))
        self._shown.show_parts(layers[0], calibrated, times)

    def _present(self) -> Calibrated | None:
        shown = self._work.calibrated
        if shown is None:
            self._work.view.show_message(Tone.ERROR, _NONE)
            return None
        return shown[1]

    def _take(
        self, layers: Sequence[Image], positions: Positions, calibrated: Calibrated
    ) -> Iterator[None]:
        work, result = self._work, calibrated.result
        work.session.results[key_of(layers)] = calibrated
        work.session.loaded = None
        Made.of(work.viewer).keep(result)
        if calibrated.found is not None:
            work.found[key_of(layers)] = calibrated.found
        work.view.show_report(None)
        work.changed.emit()
        yield
        for layer, times in times_of(layers):
            found = screened(work, layer, times, positions, calibrated)
            work.beads.show(layer, found, result.window)
            yield
            self._shown.show_field(layer, calibrated, times, is_visible=layer is layers[0])
            yield
        first = work.beads.of(layers[0])
        assert first is not None
        work.viewer.layers.selection.active = first.points
        work.beads.go_to(layers[0])
        work.changed.emit()
        text = f"Calibrated from {result.n_used} bead{'' if result.n_used == 1 else 's'}."
        tone = Tone.GOOD
        if result.trust is not Trust.GOOD:
            text, tone = f"{text} The PSF is {result.trust.value}.", Tone.WARNING
        work.slot.report(text, *result.notes, tone=tone)

    def _take_saved(self, calibrated: Calibrated, folder: Path) -> None:
        self._work.view.show_report(folder / "report.html")
        n_acquisitions, n_coefficients = calibrated.result.coefficients.shape
        is_family = n_acquisitions >= _FEWEST_TO_TRAIN and n_coefficients > 1
        self._work.slot.report(f"Saved to {folder}.{_NEXT if is_family else ''}")

    def _take_loaded(self, folder: Path, calibrated: Calibrated) -> None:
        work = self._work
        work.session.loaded = (folder.name, calibrated)
        Made.of(work.viewer).keep(calibrated.result)
        report = folder / "report.html"
        work.view.show_report(report if report.is_file() else None)
        work.changed.emit()
        work.slot.report(f"Loaded the calibration {folder.name}.")
