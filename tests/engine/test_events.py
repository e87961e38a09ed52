"""Jobs: generators that report and return."""

import pytest

from napari_deepblur.engine.events import Progress, Warned, finish


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


def warning_job():
    yield Warned("coarse pixels")
    yield Progress(1, 1, "counting")
    return 7


def test_warnings_of_a_job_become_pythons_at_the_end_only():
    with pytest.warns(UserWarning, match="coarse pixels") as caught:
        assert finish(warning_job()) == 7
    assert len(caught) == 1


def test_whoever_runs_a_job_decides_about_its_warnings():
    told = []
    assert finish(warning_job(), warn=told.append) == 7  # a Python warning would be an error here
    assert told == ["coarse pixels"]
