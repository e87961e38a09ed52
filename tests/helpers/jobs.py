"""What every long job does: it tells how far it is, and can be left at any point."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Any

from napari_deepblur.engine.events import Job, Progress


def assert_reports_and_can_be_left(start: Callable[[], Job[Any]]) -> None:
    """Run a job once to its end, and several times to one of its events and no further.

    Parameters
    ----------
    start
        Makes the job anew.
    """
    events = list(start())
    assert len(events) > 1
    assert all(isinstance(event, Progress) for event in events)
    assert events[-1].done == events[-1].total
    # Stages follow one another; within each, the count never falls and the total stays.
    stages = [(name, list(part)) for name, part in groupby(events, lambda event: event.stage)]
    assert len({name for name, _ in stages}) == len(stages)
    for _, part in stages:
        done = [event.done for event in part]
        assert done == sorted(done)
        assert 0 <= done[0] <= done[-1] <= part[0].total
        assert {event.total for event in part} == {part[0].total}
    for n_events in sorted({0, 1, 2, len(events) // 2, len(events) - 1, len(events)}):
        job = start()
        for _ in range(n_events):
            next(job)
        job.close()
        assert next(job, "left") == "left"


def most_calls_in_one_step(job: Job[Any], calls: list[str]) -> int:
    """Run a job to its end and return how many calls it made between two events, at most.

    Parameters
    ----------
    job
        Long work.
    calls
        List to which the functions that are looked at add their names when they are called.
    """
    most, before = 0, 0
    for _ in job:
        most, before = max(most, len(calls) - before), len(calls)
    return max(most, len(calls) - before)
