"""Typed events by which long work tells how far it is.

Long work is a generator: it yields events and returns a frozen result. Whoever runs it
shows, counts or ignores the events, and cancels by closing it between two of them.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeVar

__all__ = ["Job", "Progress", "finish"]

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Progress:
    """So many of so many steps of a stage are done."""

    done: int
    total: int
    stage: str


#: Work that yields `Progress` and returns a result.
Job = Generator[Progress, None, Result]


def finish(job: Job[Result]) -> Result:
    """Run a job to its end and return its result, ignoring the events."""
    while True:
        try:
            next(job)
        except StopIteration as stop:
            result: Result = stop.value
            return result
