"""Things that all actions of the dock share: the layer, the settings, and the one task."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_deepblur.engine.events import Job
from napari_deepblur.widgets.deblur import sentences
from napari_deepblur.widgets.deblur.cost.line import cost_line, free_bytes, goes_to_file
from napari_deepblur.widgets.deblur.cost.speed import Stopwatch
from napari_deepblur.widgets.deblur.known_wish import wish_of
from napari_deepblur.widgets.deblur.readiness import Resolved, resolve
from napari_deepblur.widgets.deblur.result_layers import ResultLayers
from napari_deepblur.widgets.deblur.session import Session
from napari_deepblur.widgets.deblur.tasks import Estimated
from napari_deepblur.widgets.deblur.view import DeblurView
from napari_deepblur.widgets.layers.facts import facts_of
from napari_deepblur.widgets.made import Made
from napari_deepblur.widgets.parts.tone import Tone
from napari_deepblur.widgets.tasks.task_slot import Take, TaskSlot

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_deepblur.engine.blur import BlurEstimate
    from napari_deepblur.engine.diagnostics import DeblurringCheck
    from napari_deepblur.engine.volume.blur import VolumeBlurEstimate

__all__ = ["Work"]


class Work:
    """The layer that is worked on, and the task that works on it.

    Attributes
    ----------
    viewer
        napari viewer that gets the results.
    view
        The dock.
    session
        Settings and results, which outlive the dock.
    slot
        The one task.
    layers
        Results as layers.
    layer
        The layer that is worked on.
    wanted
        What the running task was started with; None for one that depends on no settings.
    """

    #: Settings or results changed.
    changed = Signal()

    def __init__(
        self, viewer: ViewerModel, view: DeblurView, session: Session, slot: TaskSlot
    ) -> None:
        self.viewer = viewer
        self.view = view
        self.session = session
        self.slot = slot
        self.layers = ResultLayers(viewer, session.sources)
        self.layer: Image | None = None
        self.wanted: Resolved | None = None

    @property
    def resolved(self) -> Resolved:
        """Values that a task would be started with now, or the reason why none can be."""
        facts = facts_of(self.layer) if self.layer is not None else None
        settings = self.session.settings
        models, model = self.session.models, settings.model
        judge = partial(
            resolve,
            settings,
            facts,
            known=wish_of(settings, self.viewer, self.layer),
            varies=models.varies(model),
            coarsest_cutoff=models.coarsest_cutoff(model),
        )
        if self.layer is None:
            return judge()
        resolved = judge(last_time=self.session.last_time_of(self.layer))
        as_last_time = self.session.as_last_time
        return replace(resolved, name=self.layer.name, as_last_time=as_last_time)

    @property
    def busy(self) -> bool:
        """True while a task runs."""
        return self.slot.busy

    def run(
        self,
        task: Job[Any],
        take: Take,
        wanted: Resolved | None = None,
        **listeners: Callable[..., Any],
    ) -> None:
        """Start a task.

        Parameters
        ----------
        task
            The task.
        take
            Function that gets its result.
        wanted
            What the task depends on; when that changes under it, it is stopped.
        **listeners
            ``hear`` and ``leave`` of `TaskSlot.run`.
        """
        self.wanted = wanted
        if wanted is not None:
            self.session.note(wanted)
        self.slot.run(task, take, **listeners)

    def may_run(self, wanted: Resolved) -> bool:
        """Tell whether a task can be started now; where not, the view says why."""
        if self.busy:
            self.say_busy()
            return False
        if not wanted.can_run:
            self.view.show_message(Tone.ERROR, wanted.known.ask or wanted.message)
        return wanted.can_run

    def known_blur(self, layer: Image, wanted: Resolved) -> Estimated | None:
        """Return the blur of a layer that was made with the present settings, if there is one."""
        result = self.session.results.of(layer)
        return None if result is None or result.outdated(wanted) else result.estimated

    def question(self, wanted: Resolved) -> str:
        """Ask with which PSF to go on, where Deblur would take a guess; empty where not."""
        result = self.session.results.of(self.layer)
        if result is None or not result.asks or result.outdated(wanted):
            return ""
        return sentences.question_text(result.estimated.blur)

    def must_estimate(self, wanted: Resolved, known: Estimated | None) -> bool:
        """Tell whether a blur must be read off the layer."""
        return known is None and wanted.known.choice is None

    def stopwatch(self, wanted: Resolved, known: Estimated | None = None) -> Stopwatch:
        """Make what measures a task."""
        return Stopwatch(self.session.speed, wanted, estimates=self.must_estimate(wanted, known))

    def cost_line(self, wanted: Resolved) -> tuple[Tone, str]:
        """Say what Estimate and Deblur will take."""
        known = None if self.layer is None else self.known_blur(self.layer, wanted)
        estimates = self.must_estimate(wanted, known)
        return cost_line(wanted, self.session.speed, estimates=estimates, free=free_bytes())

    def goes_to_file(self, wanted: Resolved) -> bool:
        """Tell whether a deblurred image is too large for memory, and not for a file."""
        return goes_to_file(wanted, free=free_bytes())

    def say_busy(self) -> None:
        """Say that a task runs already."""
        assert self.layer is not None
        text = f"Still at work on {self.layer.name!r}: wait until it is done, or press Cancel."
        self.view.show_message(Tone.WARNING, text)

    def stop(self, tone: Tone, text: str) -> None:
        """Drop the task, if one runs, and say why, and what is left of it."""
        if self.busy:
            left = self.slot.abandon()
            self.view.show_message(tone, f"{text} {left}" if left else text)

    def keep(
        self, layer: Image, estimated: Estimated, *, file: Path | None = None
    ) -> Iterator[None]:
        """Show the PSFs of a layer's blur, then remember and show the blur itself.

        Parameters
        ----------
        layer
            Image layer.
        estimated
            Its blur.
        file
            File that it comes from.

        Yields
        ------
            Nothing, when the window had better answer.
        """
        yield from self.layers.show_blur(layer, estimated)
        self.session.results.keep(layer, estimated.without_mosaics(), file=file)
        Made.of(self.viewer).keep_blur(layer, estimated.blur)
        self.changed.emit()

    def put_back(self, layer: Image) -> None:
        """Show a blur again that was read off a layer, if the settings are those of it again.

        One that varies over the field is read anew: its pictures were as large as the image.
        """
        results, wanted = self.session.results, self.resolved
        shown, read = results.of(layer), results.aside(layer)
        if self.busy or shown is None or read is None or read.estimated.field is not None:
            return
        if shown.outdated(wanted) and not read.outdated(wanted):
            for _ in self.keep(layer, read.estimated):
                pass

    def report(
        self,
        text: str,
        blur: BlurEstimate | VolumeBlurEstimate,
        check: DeblurringCheck | None = None,
    ) -> None:
        """Tell how a task ended, and where there are doubts to read; nothing is said twice."""
        doubts = sentences.doubts_about_image(check) or sentences.doubts_about_blur(blur)
        # These stand in the sections, where they belong.
        concerns = chain.from_iterable((*blur.concerns, *(() if check is None else check.concerns)))
        told = {self.resolved.message, *map(str, concerns)}
        tone = Tone.WARNING if doubts else Tone.GOOD
        if self.question(self.resolved):  # which says so itself
            tone, doubts = Tone.INFO, ""
        self.slot.report(f"{text} {doubts}".rstrip(), told=told, tone=tone)
