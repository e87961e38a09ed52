"""Time left of a stage, told once it can be."""

from __future__ import annotations

import pytest

from napari_deepblur.engine.events import Progress
from napari_deepblur.widgets.tasks.time_left import TimeLeft, in_words


def test_the_time_left_is_that_of_the_stage() -> None:
    left = TimeLeft()
    assert left.after(Progress(0, 0, "loading"), 0) is None
    assert left.after(Progress(0, 10, "deblurring"), 10) is None
    assert left.after(Progress(1, 10, "deblurring"), 11) is None
    assert left.after(Progress(2, 10, "deblurring"), 14) == pytest.approx(16)
    assert left.after(Progress(10, 10, "deblurring"), 30) == 0
    assert left.after(Progress(1, 4, "checking"), 31) is None
    assert left.after(Progress(2, 4, "checking"), 34) == pytest.approx(6)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "1 s"),
        (7.4, "7 s"),
        (43, "45 s"),
        (100, "2 min"),
        (3500, "58 min"),
        (3600, "1 h"),
        (4870, "1 h 20 min"),
    ],
)
def test_times_are_said_roughly(seconds: float, words: str) -> None:
    assert in_words(seconds) == words
