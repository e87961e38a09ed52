"""How a job that runs in a worker thread can end."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, TypeVar

from napari_deepblur.engine.events import Job, Warned
from napari_deepblur.errors import describe

__all__ = ["Cancelled", "Done", "Failed", "Outcome", "or_warned"]

_LOG = logging.getLogger(__name__)

Result = TypeVar("Result")


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


def or_warned(job: Job[Result], missing: str) -> Job[Result | None]:
    """Run a job whose failure is a warning and costs its own result only, not earlier ones."""
    try:
        return (yield from job)
    except Exception as error:  # noqa: BLE001 - logged, and shown to the user
        _LOG.exception(missing)
        yield Warned(f"{missing}: {describe(error)}")
        return None
