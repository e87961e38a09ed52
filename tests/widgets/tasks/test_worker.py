"""Signals of tasks in threads: every end is told, whatever it is."""

from __future__ import annotations

import threading
import warnings
from dataclasses import replace

import numpy as np
import pytest

from helpers.layers import OPTICS, spots
from napari_deepblur import Optics
from napari_deepblur.engine.concerns import ConcernKind
from napari_deepblur.engine.events import Progress, Warned, finish
from napari_deepblur.engine.models import load_model
from napari_deepblur.errors import DeviceError
from napari_deepblur.widgets.deblur.deblur_task import deblur_task
from napari_deepblur.widgets.deblur.judgement import Verdict
from napari_deepblur.widgets.deblur.readiness import Resolved
from napari_deepblur.widgets.deblur.tasks import estimate_task
from napari_deepblur.widgets.tasks import worker
from napari_deepblur.widgets.tasks.task import Cancelled, Done, Failed, Handover
from napari_deepblur.widgets.tasks.worker import next_turn, start_task


class Log:
    """What a task told, and in which thread."""

    def __init__(self) -> None:
        self.events, self.ends, self.threads = [], [], set()

    def start(self, task):
        return start_task(task, on_event=self.on_event, on_end=self.on_end)

    def on_event(self, event) -> None:
        self.threads.add(threading.current_thread())
        self.events.append(event)

    def on_end(self, outcome) -> None:
        self.threads.add(threading.current_thread())
        self.ends.append(outcome)


def count(n: int, error: Exception | None = None):
    for index in range(n):
        yield Progress(index, n, "counting")
    if error is not None:
        raise error
    return n


@pytest.fixture
def log(qapp) -> Log:
    return Log()


def test_a_task_waits_till_a_part_of_its_result_is_taken(qtbot, log: Log, monkeypatch) -> None:
    monkeypatch.setattr(worker, "_PATIENCE", 60)
    taken, seen, went_on = [], [], threading.Event()

    def hand_over(event_class):
        yield event_class(0, 1, "handing over")
        seen.append(list(taken))
        went_on.set()

    def take(event) -> None:
        if not isinstance(event, Handover):
            assert went_on.wait(60)  # such an event waits for nobody
        next_turn(lambda: taken.append(type(event)))

    for n_done, event_class in enumerate((Handover, Progress), 1):
        went_on.clear()
        start_task(hand_over(event_class), on_event=take, on_end=log.on_end)
        qtbot.waitUntil(lambda n_done=n_done: len(log.ends) == n_done, timeout=60_000)
    assert seen == [[Handover], [Handover]]


def test_a_task_goes_on_where_nobody_takes_its_parts(qtbot, log: Log) -> None:
    def fail(event) -> None:
        raise KeyError(event)

    def hand_over():
        yield Handover(0, 1, "handing over")
        return 1

    with qtbot.capture_exceptions() as raised:
        start_task(hand_over(), on_event=fail, on_end=log.on_end)
        qtbot.waitUntil(lambda: log.ends == [Done(1)])
    assert len(raised) == 1


def test_events_and_result_arrive_in_this_thread(qtbot, log: Log) -> None:
    log.start(count(3))
    qtbot.waitUntil(lambda: log.ends == [Done(3)])
    assert [event.done for event in log.events] == [0, 1, 2]
    assert log.threads == {threading.main_thread()}


@pytest.mark.parametrize("n_steps", [0, 2])
@pytest.mark.parametrize(
    "error", [DeviceError("out of memory"), RuntimeError("odd"), ValueError("bad"), KeyError("x")]
)
def test_every_error_is_told(qtbot, log: Log, error: Exception, n_steps: int) -> None:
    log.start(count(n_steps, error))
    qtbot.waitUntil(lambda: log.ends == [Failed(str(error))])


def test_a_cancelled_task_is_closed_after_its_present_step(qtbot, log: Log) -> None:
    """One step may run while the cancellation is on its way; none begins after it."""
    steps, closed_in = [], []
    may_go_on = threading.Event()

    def endless():
        try:
            while True:
                steps.append(len(log.events))
                yield Progress(0, 0, "waiting")
                may_go_on.wait(10)
        finally:
            closed_in.append(threading.current_thread())

    cancel = log.start(endless())
    qtbot.waitUntil(lambda: len(log.events) == 1)
    cancel()
    may_go_on.set()
    qtbot.waitUntil(lambda: log.ends == [Cancelled()])
    assert len(steps) <= 2
    assert closed_in[0] is not threading.main_thread()


def test_a_focus_series_goes_through_the_engine(tiny_model) -> None:
    wanted = Resolved(
        Verdict.WELL_SAMPLED,
        "",
        optics=Optics(**OPTICS),
        axes="ZYX",
        model=str(tiny_model),
        device="cpu",
        z_step_um=0.2,
    )
    told: list[str] = []
    estimated = finish(estimate_task(spots(3, 64, 64), wanted), warn=told.append)
    assert len(estimated.blur.concerns) == 3
    assert "focus series" in told[0]
    # The engine refuses a distance for other axes: it did get this one.
    with pytest.raises(ValueError, match="focus series"):
        finish(estimate_task(spots(3, 64, 64), replace(wanted, axes="TYX")))


def test_overlapping_tasks_leave_pythons_warnings_alone(tiny_model, monkeypatch) -> None:
    finish(estimate_task(spots(64, 64), undersampled(tiny_model)), warn=print)  # imports
    # As with two docks: the second task is in its first step while the first ends its own.
    second_is_in, first_is_out = threading.Event(), threading.Event()

    def opened(model):
        if threading.current_thread().name == "first":
            second_is_in.wait(10)
        else:
            second_is_in.set()
            first_is_out.wait(10)
        return load_model(model)

    monkeypatch.setattr("napari_deepblur.engine.estimate.load_model", opened)
    before = (warnings.filters.copy(), warnings.showwarning, warnings._showwarnmsg_impl)

    def run():
        finish(estimate_task(spots(64, 64), undersampled(tiny_model)), warn=told.append)
        first_is_out.set()

    told = []
    threads = [threading.Thread(target=run, name=name) for name in ("first", "second")]
    threads[0].start()
    threads[1].start()
    for thread in threads:
        thread.join()
    assert len(told) == 2
    assert (warnings.filters, warnings.showwarning, warnings._showwarnmsg_impl) == before


def undersampled(model) -> Resolved:
    return Resolved(
        Verdict.UNDERSAMPLED,
        "",
        optics=Optics(**OPTICS | {"pixel_size_um": 0.13}),
        axes="YX",
        model=str(model),
        device="cpu",
    )


def test_the_engines_warnings_are_events(tiny_model) -> None:
    events = list(estimate_task(spots(64, 64), undersampled(tiny_model)))
    notices = [event.text for event in events if isinstance(event, Warned)]
    assert len(notices) == 1
    assert "undersampled" in notices[0]


@pytest.fixture
def wanted(tiny_varying_model) -> Resolved:
    return Resolved(
        Verdict.WELL_SAMPLED,
        "",
        optics=Optics(**OPTICS),
        axes="ZYX",
        model=str(tiny_varying_model),
        device="cpu",
        residual_layer=True,
    )


@pytest.mark.parametrize("shares", [True, False])
def test_planes_that_share_their_light_are_doubted(tiny_model, shares: bool) -> None:
    wanted = Resolved(
        Verdict.WELL_SAMPLED,
        "",
        optics=Optics(**OPTICS),
        axes="ZYX",
        model=str(tiny_model),
        device="cpu",
        shares_light_over_um=6.4 if shares else None,
    )
    estimated = finish(estimate_task(spots(6, 64, 64), wanted))
    for row in estimated.blur.concerns:
        assert (ConcernKind.SHARED_LIGHT in {one.kind for one in row}) == shares


def test_a_blur_that_varies_comes_with_its_pictures(wanted: Resolved) -> None:
    estimated = finish(estimate_task(spots(2, 96, 128), wanted))
    field = estimated.field
    assert estimated.unit == "dimensionless"
    assert field.mosaics.shape == (2, 96, 128)
    assert len(field.widths) == 2
    y, x = field.grid.positions_yx[0].astype(int)
    at_place = estimated.blur.psf(1, field.grid.positions_yx[0])
    drawn = field.mosaics[1, y - 15 : y + 16, x - 15 : x + 16]
    np.testing.assert_allclose(drawn, at_place, rtol=1e-5)
    assert field.eigen_psfs.shape == (3, 31, 31)


@pytest.mark.parametrize("failing", ["check_deblurring_job", "residual_image_job"])
def test_what_fails_after_deblurring_does_not_cost_the_result(
    wanted: Resolved, monkeypatch, failing: str
) -> None:
    def fails(*_, **__):
        yield Progress(0, 1, "checking")
        raise DeviceError("out of memory")

    monkeypatch.setattr(f"napari_deepblur.engine.restore.{failing}", fails)
    events, result = drain(deblur_task(spots(2, 96, 96), wanted, None))
    assert result.sharp.shape == (2, 96, 96)
    assert (result.check is None) == (failing == "check_deblurring_job")
    assert (result.residual is None) == (failing == "residual_image_job")
    (notice,) = [event.text for event in events if isinstance(event, Warned)]
    assert "out of memory" in notice


def test_a_task_can_be_closed_while_the_result_is_checked(wanted: Resolved) -> None:
    task = deblur_task(spots(2, 96, 96), wanted, None)
    while "check" not in next(task).stage:  # nothing is warned of before
        pass
    task.close()
    with pytest.raises(StopIteration):
        next(task)


def drain(task):
    """All events of a task, and its result."""
    events = []
    while True:
        try:
            events.append(next(task))
        except StopIteration as stop:
            return events, stop.value
