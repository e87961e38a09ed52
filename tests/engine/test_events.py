"""Jobs: generators that report and return."""

import pytest

from napari_deepblur.engine.events import Progress, finish


def job(n):
    for done in range(n):
        yield Progress(done + 1, n, "counting")
    return n * 10


def test_finish_returns_the_result():
    assert finish(job(4)) == 40
    assert finish(job(0)) == 0


def test_errors_pass_through():
    def failing():
        yield Progress(1, 2, "failing")
        raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"):
        finish(failing())


def test_events_are_frozen():
    with pytest.raises(AttributeError):
        Progress(1, 2, "x").done = 5
