"""A progress bar on stderr for a job of the engine."""

from __future__ import annotations

import sys
import warnings
from contextlib import closing
from typing import TYPE_CHECKING, TypeVar

from napari_deepblur.engine.events import Warned

if TYPE_CHECKING:
    from napari_deepblur.engine.events import Job

__all__ = ["drive"]

Result = TypeVar("Result")


def drive(job: Job[Result]) -> Result:
    """Run a job to its end, with a bar and with its warnings as Python warnings.

    The bar shows on a terminal only, so that logs stay clean.
    """
    from tqdm import tqdm

    with closing(job), tqdm(file=sys.stderr, disable=None, leave=False) as bar:
        while True:
            try:
                event = next(job)
            except StopIteration as stop:
                result: Result = stop.value
                return result
            if isinstance(event, Warned):
                bar.clear()
                warnings.warn(event.text, UserWarning, stacklevel=2)
                continue
            if event.total != bar.total or event.done < bar.n:
                bar.reset(event.total)
            bar.set_description(event.stage, refresh=False)
            bar.update(event.done - bar.n)
