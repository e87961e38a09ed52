"""Tasks: jobs that also pass on the engine's warnings, and how they can end."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeVar

from napari_deepblur.engine.events import Job, Progress
from napari_deepblur.errors import describe

__all__ = ["Cancelled", "Done", "Failed", "Notice", "Outcome", "Task", "noting", "or_notice"]

_LOG = logging.getLogger(__name__)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Notice:
    """A warning of the engine, for the user."""

    text: str


#: A job that also passes on the engine's warnings.
Task = Generator[Progress | Notice, None, Result]


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


def noting(job: Job[Result]) -> Task[Result]:
    """Run a job, with its warnings as notices."""
    # Catching warnings touches the whole process, so only the first step is watched: there
    # the engine checks what it was given.
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        first = next(job)
    for warning in caught:
        yield Notice(str(warning.message))
    yield first
    return (yield from job)


def or_notice(job: Job[Result], missing: str) -> Task[Result | None]:
    """Run a job whose failure costs only its own result: what came before took the time."""
    try:
        return (yield from job)
    except Exception as error:  # noqa: BLE001 - logged, and shown to the user
        _LOG.exception(missing)
        yield Notice(f"{missing}: {describe(error)}")
        return None
