"""Typed events of long work: progress and warnings.

Long work is a generator that yields events and returns a frozen result. Its caller shows,
counts or ignores the events, and cancels the work by closing the generator between two of them.
Warnings are events too, because Python's own warning filters belong to the whole process and
must not be touched by a thread.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeVar

__all__ = ["Event", "Job", "Progress", "Warned", "finish"]

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Progress:
    """Number of finished steps of a stage, and of all its steps."""

    done: int
    total: int
    stage: str


@dataclass(frozen=True, slots=True)
class Warned:
    """A warning for the user, in words that need no full stop."""

    text: str


#: What long work tells on its way.
Event = Progress | Warned

#: Work that yields events and returns a result.
Job = Generator[Event, None, Result]


def _warn(text: str) -> None:
    warnings.warn(text, UserWarning, stacklevel=4)


def finish(job: Job[Result], *, warn: Callable[[str], None] = _warn) -> Result:
    """Run a job to its end and return its result.

    Parameters
    ----------
    job
        The work; its progress is ignored.
    warn
        Called with the text of each warning; by default it becomes a `UserWarning` at the
        place that called the function which called this one.
    """
    while True:
        try:
            event = next(job)
        except StopIteration as stop:
            result: Result = stop.value
            return result
        if isinstance(event, Warned):
            warn(event.text)
