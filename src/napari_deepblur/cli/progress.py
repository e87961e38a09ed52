"""A job of the engine with a bar on stderr."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from napari_deepblur.engine.events import Job

__all__ = ["drive"]

Result = TypeVar("Result")


def drive(job: Job[Result]) -> Result:
    """Run a job to its end; the bar shows on a terminal only, so that logs stay clean."""
    from tqdm import tqdm

    with closing(job), tqdm(file=sys.stderr, disable=None, leave=False) as bar:
        while True:
            try:
                event = next(job)
            except StopIteration as stop:
                result: Result = stop.value
                return result
            if event.total != bar.total or event.done < bar.n:
                bar.reset(event.total)
            bar.set_description(event.stage, refresh=False)
            bar.update(event.done - bar.n)
