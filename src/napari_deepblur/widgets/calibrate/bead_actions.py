"""Actions of the section Beads: find them, and show what became of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from napari_deepblur.calibration.beads.status import BeadStatus
from napari_deepblur.widgets.calibrate.bead_lists import times_of
from napari_deepblur.widgets.calibrate.bead_points import BeadsInPlane, joined
from napari_deepblur.widgets.calibrate.session import key_of
from napari_deepblur.widgets.calibrate.tasks import Calibrated, find_task
from napari_deepblur.widgets.calibrate.work import CalibrationWork
from napari_deepblur.widgets.parts.tone import Tone

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_deepblur.engine.calibrate import FoundBeads, Positions

__all__ = ["BeadActions", "screened"]

_ADD_BY_HAND = "Add points by hand, or take an image of bright, single beads on a dark ground."


class BeadActions:
    """Finds the beads of the layers.

    Parameters
    ----------
    work
        The layers and the task.
    """

    def __init__(self, work: CalibrationWork) -> None:
        self._work = work

    def find(self) -> None:
        """Find the beads of the chosen layers, in place of the former points."""
        work = self._work
        plan, layers = work.plan, work.layers
        if work.may_run(plan):
            work.slot.run(find_task(work.stack(plan)), partial(self._take, layers))

    def _take(self, layers: Sequence[Image], found: FoundBeads) -> Iterator[None]:
        work = self._work
        work.found[key_of(layers)] = found
        pairs = zip(found.acquisitions, found.tables, strict=True)
        beads = [BeadsInPlane(one.plane, table) for one, table in pairs]
        work.changed.emit()
        yield
        for layer, times in times_of(layers):
            work.beads.show(layer, beads[times], found.window)
            yield
        work.beads.show_only(layers[0])
        work.beads.go_to(layers[0])
        work.changed.emit()
        yield
        counts = work.beads.counts(layers) or {}
        n, n_used = sum(counts.values()), counts.get(BeadStatus.USED, 0)
        text = f"Found {n} bead{'' if n == 1 else 's'}, {n_used or 'none'} of them usable."
        if n_used:
            work.slot.report(
                f"{text} Delete or add points where you know better, then press Calibrate."
            )
        else:
            text = f"{text if n else 'No beads found.'} {_ADD_BY_HAND}"
            work.view.show_message(Tone.WARNING, text)


def screened(
    work: CalibrationWork,
    layer: Image,
    times: slice,
    positions: Positions,
    calibrated: Calibrated,
) -> list[BeadsInPlane]:
    """Beads of a layer as they were screened last, with those rejected before.

    Where positions were given, the result knows of no others.

    Parameters
    ----------
    work
        Holder of the beads as they are shown.
    layer
        The layer.
    times
        Numbers of its acquisitions.
    positions
        Beads of each acquisition that the user edited, None for the others.
    calibrated
        What came of them.
    """
    known = work.beads.of(layer)
    beads, found = calibrated.result.beads, []
    for number, t in enumerate(range(times.start, times.stop)):
        table = beads[beads["acquisition"] == t]
        if known is not None and positions[t] is not None:
            table = joined(known.rejected()[number], table)
        found.append(BeadsInPlane(calibrated.planes[t], table))
    return found
