"""A slot for one task at a time; late answers of an abandoned task are dropped."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import Any, Protocol

from napari_deepblur.engine.events import Event, Job, Progress, Warned
from napari_deepblur.widgets.parts.tone import Tone
from napari_deepblur.widgets.tasks.task import Cancelled, Done, Failed, Outcome

__all__ = ["Later", "StartTask", "Take", "TaskSlot", "TaskView"]

#: Gets the result of a task. What takes long, such as adding layers, it does in steps: it then is
#: a generator, and the window answers between them.
Take = Callable[[Any], Iterator[None] | None]

#: Calls a function in the next turn of the event loop.
Later = Callable[[Callable[[], None]], None]


class StartTask(Protocol):
    """Runs a task elsewhere and returns the function that cancels it."""

    def __call__(
        self,
        task: Job[Any],
        *,
        on_event: Callable[[Event], None],
        on_end: Callable[[Outcome], None],
    ) -> Callable[[], None]:
        """Start."""


class TaskView(Protocol):
    """Shows how a task goes."""

    def show_busy(self, *, busy: bool) -> None:
        """Show whether a task runs."""

    def show_progress(self, progress: Progress) -> None:
        """Show how far the task is."""

    def show_message(self, tone: Tone, text: str, *, details: str = "") -> None:
        """Show one message in place of the former one; details are seen at a click."""


def _nothing(progress: Progress) -> None:
    """Hear nothing of a task's progress."""


class TaskSlot:
    """Runs one task, and tells the view how it goes.

    Parameters
    ----------
    view
        Dock that shows the progress and the end of the task.
    start
        Function that runs a task elsewhere.
    later
        Function that waits for the window between the steps of taking a result; by default they
        follow one another at once.
    """

    def __init__(
        self, view: TaskView, start: StartTask, later: Later = lambda function: function()
    ) -> None:
        self._view = view
        self._start = start
        self.later = later
        self._notices: list[str] = []
        # An answer counts only while its task's number is the current one.
        self._generation = 0
        self._cancel: Callable[[], None] | None = None
        self._hear: Callable[[Progress], None] = _nothing
        self._leave: Callable[[], str] = str

    @property
    def busy(self) -> bool:
        """True while a task runs or its result is being taken."""
        return self._cancel is not None

    def run(
        self,
        task: Job[Any],
        take: Take,
        *,
        hear: Callable[[Progress], None] = _nothing,
        leave: Callable[[], str] = str,
    ) -> None:
        """Start a task.

        Parameters
        ----------
        task
            The task.
        take
            Gets its result, if it comes to one.
        hear
            Gets its progress, which may carry parts of the result.
        leave
            Called where it comes to none; returns a sentence on what is left of it, or nothing.
        """
        self._generation += 1
        number = self._generation
        self._notices.clear()
        self._hear, self._leave = hear, leave
        self._view.show_message(Tone.INFO, "")
        self._view.show_busy(busy=True)
        self._cancel = self._start(
            task,
            on_event=partial(self._on_event, number),
            on_end=partial(self._on_end, number, take),
        )

    def abandon(self) -> str:
        """Drop the task: it ends after its present step, and nobody listens.

        Returns
        -------
            Sentence on what is left of it; empty if nothing, or if no task ran.
        """
        if not self.busy:
            return ""
        leave = self._leave
        self.silence()
        self._view.show_busy(busy=False)
        return leave()

    def silence(self) -> None:
        """`abandon` without a word to anybody."""
        self._generation += 1
        if self._cancel is not None:
            self._cancel()
        self._forget()

    def report(
        self, text: str, *more: str, told: Collection[str] = (), tone: Tone = Tone.GOOD
    ) -> None:
        """Show how the task ended well; the engine's warnings and more are seen at a click.

        Parameters
        ----------
        text
            How it ended.
        *more
            Further warnings.
        told
            Warnings that are shown elsewhere, and not repeated.
        tone
            Tone of the text, where there are no warnings.
        """
        notices = [one for one in dict.fromkeys([*self._notices, *more]) if one not in told]
        details = "\n".join(f"• {one[0].upper()}{one[1:]}." for one in notices)
        self._view.show_message(Tone.WARNING if notices else tone, text, details=details)

    def _on_event(self, number: int, event: Event) -> None:
        if number != self._generation:
            return
        if isinstance(event, Warned):
            self._notices.append(event.text)
        else:
            self._hear(event)
            self._view.show_progress(event)

    def _on_end(self, number: int, take: Take, outcome: Outcome) -> None:
        if number != self._generation:
            return
        if isinstance(outcome, Done):
            self._go_on(number, _steps(take, outcome.result))
            return
        leave = self._leave
        self._finish(number)
        match outcome:
            case Failed(message):
                self._view.show_message(Tone.ERROR, _joined(message, leave()))
            case Cancelled():
                self._view.show_message(Tone.INFO, _joined("Cancelled.", leave()))

    def _go_on(self, number: int, steps: Iterator[None]) -> None:
        """Take the next step of taking a result, unless it was abandoned."""
        if number != self._generation:
            return
        try:
            next(steps)
        except StopIteration:
            self._finish(number)
        except BaseException:
            self._finish(number)
            raise
        else:
            self.later(partial(self._go_on, number, steps))

    def _finish(self, number: int) -> None:
        if number == self._generation:
            self._forget()
            self._view.show_busy(busy=False)

    def _forget(self) -> None:
        """Let go of all that belongs to the task."""
        self._cancel, self._hear, self._leave = None, _nothing, str


def _joined(text: str, left: str) -> str:
    return f"{text.rstrip('.')}. {left}" if left else text


def _steps(take: Take, result: Any) -> Iterator[None]:
    steps = take(result)
    if steps is not None:
        yield from steps
