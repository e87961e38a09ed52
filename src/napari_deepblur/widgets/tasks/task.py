"""What a job in a worker thread hands to the window, and how it ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from napari_deepblur.engine.events import Progress

__all__ = ["Cancelled", "Done", "Failed", "Handover", "Outcome"]


@dataclass(frozen=True, slots=True)
class Handover(Progress):
    """Progress that hands a part of the result to the window; the task waits till it has it.

    Threads take turns with Python, which would make the window's work on it half as long again.
    """


@dataclass(frozen=True, slots=True)
class Done:
    """The task came to its end."""

    result: Any


@dataclass(frozen=True, slots=True)
class Failed:
    """The task met an error; `message` is one line for the user."""

    message: str


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The task was stopped between two events."""


#: How a task ended.
Outcome = Done | Failed | Cancelled
