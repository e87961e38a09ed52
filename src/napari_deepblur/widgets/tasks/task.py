"""Outcomes of a job that runs in a worker thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Cancelled", "Done", "Failed", "Outcome"]


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
