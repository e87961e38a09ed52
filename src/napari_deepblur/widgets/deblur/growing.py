"""A deblurred image that is shown while its planes come, and kept where not all of them do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from napari_deepblur.engine.events import Progress
from napari_deepblur.engine.planes_on_disk import PlanesOnDisk
from napari_deepblur.widgets.deblur import sentences
from napari_deepblur.widgets.deblur.cost.speed import Stopwatch
from napari_deepblur.widgets.deblur.deblur_task import Begun, Deblurred, PlanesDone
from napari_deepblur.widgets.deblur.layers import finished_part, growing_layer
from napari_deepblur.widgets.deblur.result_names import sharp_name
from napari_deepblur.widgets.deblur.tasks import Estimated
from napari_deepblur.widgets.deblur.work import Work
from napari_deepblur.widgets.parts.tone import Tone

if TYPE_CHECKING:
    from napari.layers import Image

__all__ = ["GrowingResult"]


class GrowingResult:
    """What comes of one click on Deblur.

    Parameters
    ----------
    work
        The layer, the settings and the task.
    source
        The layer that is deblurred.
    watch
        Measures how long it takes.
    is_new
        Whether its blur is estimated first.
    """

    def __init__(self, work: Work, source: Image, watch: Stopwatch, *, is_new: bool) -> None:
        self._work, self._source, self._is_new = work, source, is_new
        self._keeping: Iterator[None] = iter(())
        self._watch = watch
        self._begun: Begun | None = None
        self._layer: Image | None = None
        self._contrast: list[float] | None = None

    def hear(self, progress: Progress) -> None:
        """Keep the blur once it is found, and show planes once they are finished."""
        self._watch.hear(progress)
        if isinstance(progress, Begun):
            self._begun = progress
            self._keep_blur(progress.estimated)
            self._keep_on()
        elif isinstance(progress, PlanesDone) and self._begun is not None:
            self._grow(self._begun, progress)

    def take(self, result: Deblurred | Estimated) -> Iterator[None]:
        """Show the complete result with its check, or a blur that the user is asked about.

        Parameters
        ----------
        result
            Result of the task.

        Yields
        ------
            Nothing, when the window had better answer.
        """
        self._watch.stop()
        if isinstance(result, Estimated):
            self._keep_blur(result)
            yield from self._keeping
            self._work.report(sentences.estimated_text(self._source.name, result), result.blur)
            return
        self._keep_blur(result.estimated)
        yield from self._keeping
        # Another layer may take its place, which is no reason to stop.
        growing, self._layer = self._layer, None
        by_hand = None if growing is None else growing.contrast_limits
        shown = self._work.layers.show_deblurred(self._source, result, growing)
        if by_hand is not None and by_hand != self._contrast:
            shown.contrast_limits = by_hand
        yield
        self._work.session.results.keep_check(self._source, result.check)
        self._work.changed.emit()
        text = sentences.deblurred_text(self._source.name, result.check)
        if isinstance(result.sharp, PlanesOnDisk):
            text += f" It is in {result.sharp.path.name}."
        self._work.report(text, result.estimated.blur, result.check)

    def leave(self) -> str:
        """Keep the planes that are there as a layer that says which; tell how many they are."""
        self._finish_keeping()
        if self._begun is None:
            return ""
        planes, n_planes = self._begun.sharp.close(), self._begun.sharp.n_planes
        if self._layer is None or self._is_gone:
            return ""
        part = finished_part(self._source, self._begun.estimated, planes, n_planes)
        self._work.layers.leave_growing(self._source, self._layer, part)
        sharp = self._begun.sharp
        where = f" in {sharp.path.name}" if isinstance(sharp, PlanesOnDisk) else ""
        if len(planes) == n_planes:
            return f"The deblurred image is complete{where}, but was not checked."
        return f"{len(planes)} of {n_planes} planes are finished and kept{where}."

    def stop_if_removed(self) -> None:
        """Stop the work if the user removed what is there of the result."""
        if self._is_gone:
            text = "The layer with the result was removed: the work on it was stopped."
            self._work.stop(Tone.WARNING, text)

    @property
    def _is_gone(self) -> bool:
        return self._layer is not None and self._layer not in self._work.viewer.layers

    def _keep_blur(self, estimated: Estimated) -> None:
        if self._is_new:
            self._is_new = False
            self._keeping = self._work.keep(self._source, estimated)

    def _keep_on(self) -> None:
        """Do one step of keeping the blur, then wait for the window."""
        for _ in self._keeping:
            self._work.slot.later(self._keep_on)
            break

    def _finish_keeping(self) -> None:
        for _ in self._keeping:
            pass

    def _grow(self, begun: Begun, done: PlanesDone) -> None:
        name = sharp_name("deblurred", self._source, begun.estimated)
        n_done, n_planes = len(begun.sharp.finished), begun.sharp.n_planes
        if n_planes > 1:
            name = f"{name}, {n_done} of {n_planes}"
        if self._layer is None:
            data, arguments = growing_layer(
                self._source, begun.estimated, begun.sharp.data, done.bright
            )
            made = data, arguments | {"name": name}
            self._layer = self._work.layers.show_growing(self._source, made)
            self._contrast = self._layer.contrast_limits
        else:
            self._layer.name = name
            self._work.layers.refresh_plane(self._layer, done.planes)
