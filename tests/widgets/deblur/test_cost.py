"""What a click will take: said before it, learned from the last one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from helpers.bench import Bench
from helpers.layers import OPTICS, deblurred, estimated, known_layer
from napari_deepblur import Optics
from napari_deepblur.engine.cost import deblurring_cost, estimating_cost
from napari_deepblur.engine.destination import PlanesInMemory
from napari_deepblur.engine.events import Progress
from napari_deepblur.engine.volume.stack_optics import StackOptics
from napari_deepblur.widgets.deblur.cost.line import cost_line
from napari_deepblur.widgets.deblur.cost.speed import Speed, Stopwatch, cost_of
from napari_deepblur.widgets.deblur.cost.speed import n_threads as real_n_threads
from napari_deepblur.widgets.deblur.deblur_task import Begun
from napari_deepblur.widgets.deblur.readiness import Resolved
from napari_deepblur.widgets.parts.tone import Tone
from napari_deepblur.widgets.tasks.task import Done

GB = 10**9


@pytest.fixture(autouse=True)
def two_threads(monkeypatch) -> None:
    """As the figures have it."""
    monkeypatch.setattr("napari_deepblur.widgets.deblur.cost.speed.n_threads", lambda: 2)


@pytest.fixture
def wanted() -> Resolved:
    resolved = Bench(known_layer(10, 64, 64)).resolved
    return replace(resolved, shape=(10, 1024, 1024), per="plane")


# Figures


def test_planes_cost_by_their_number_and_size() -> None:
    for cost in (estimating_cost, deblurring_cost):
        one = cost((512, 512), "YX")
        ten = cost((10, 512, 512), "ZYX")
        large = cost((1024, 1024), "YX")
        assert ten.seconds == pytest.approx(10 * one.seconds)
        assert one.seconds < large.seconds < 4 * one.seconds
        assert large.n_bytes > one.n_bytes
    # Only results grow with the number of planes.
    few, many = (deblurring_cost((n, 512, 512), "ZYX") for n in (10, 20))
    assert many.n_result_bytes - few.n_result_bytes == 10 * 512 * 512 * 4


STACK = StackOptics(Optics(**OPTICS), z_step_um=0.25)


@pytest.mark.parametrize(
    ("shape", "estimate", "deblur", "gigabytes"),
    [((40, 201, 101), 24.6, 6.3, 0.2), ((32, 512, 512), 30.3, 37.5, 0.75)],
)
def test_volumes_cost_what_was_measured(shape, estimate, deblur, gigabytes) -> None:
    """Figures of docs/accuracy.md, less the 0.35 GB that the programs take."""
    seconds = estimating_cost(shape, "ZYX", stack=STACK).seconds
    assert estimate < seconds < 1.5 * estimate  # real stacks need more iterations
    cost = deblurring_cost(shape, "ZYX", stack=STACK)
    assert cost.seconds == pytest.approx(deblur, rel=0.1)
    assert (cost.n_bytes + cost.n_result_bytes) / GB == pytest.approx(gigabytes, rel=0.2, abs=0.1)
    series = deblurring_cost((3, *shape), "TZYX", stack=STACK)
    assert series.seconds == pytest.approx(3 * cost.seconds)


@pytest.mark.parametrize(("shape", "seconds"), [((16, 128, 128), 36.0), ((10, 64, 64), 5.6)])
def test_of_small_stacks_most_of_the_time_goes_into_what_lies_around(shape, seconds) -> None:
    """Seconds of the processor on one thread."""
    cost = estimating_cost(shape, "ZYX", stack=STACK)
    assert seconds / 1.7 < cost.seconds_on(1) < 1.7 * seconds
    assert cost.seconds_on(1) > 1.6 * cost.seconds == 1.6 * cost.seconds_on(2)


# The line


def test_the_line_tells_time_and_memory(wanted: Resolved) -> None:
    tone, text = cost_line(wanted, Speed(), estimates=True, free=16 * GB)
    assert tone is Tone.INFO
    assert text == "Roughly: estimate 6 s, deblur 25 s, 0.2 GB"
    _, text = cost_line(wanted, Speed(), estimates=False, free=16 * GB)
    assert text == "Roughly: deblur 25 s, 0.2 GB"


def test_it_warns_where_memory_is_too_small(wanted: Resolved) -> None:
    large = replace(wanted, shape=(5000, 1024, 1024))
    tone, text = cost_line(large, Speed(), estimates=True, free=16 * GB)
    assert tone is Tone.WARNING
    assert "needs about 21 GB of memory, 16 GB are free: Deblur asks for a file" in text
    huge = replace(wanted, shape=(20000, 20000), axes="YX")
    assert "crop the image" in cost_line(huge, Speed(), estimates=True, free=16 * GB)[1]


def test_it_says_nothing_where_nothing_can_be_done() -> None:
    assert Bench().view.show_cost.call_args.args == (Tone.INFO, "")


def test_it_knows_whether_an_estimate_comes_first() -> None:
    bench = Bench(known_layer(64, 64))
    assert bench.view.show_cost.call_args.args[1].startswith("Roughly: estimate")
    bench.controller.psf.estimate()
    bench.runner.on_end(Done(estimated()))
    assert bench.view.show_cost.call_args.args[1].startswith("Roughly: deblur")
    bench.controller.settings.numerical_aperture = 1.2
    assert bench.view.show_cost.call_args.args[1].startswith("Roughly: estimate")
    bench.controller.settings.psf_source = "ideal"
    assert bench.view.show_cost.call_args.args[1].startswith("Roughly: deblur")


# Learning


def test_a_run_tells_how_long_the_next_one_takes(wanted: Resolved) -> None:
    speed, clock = Speed(), iter([100.0, 130.0, 200.0, 260.0])
    watch = Stopwatch(speed, wanted, estimates=True, now=lambda: next(clock))
    watch.hear(Progress(0, 0, "loading"))  # does not count
    watch.hear(Progress(0, 10, "estimating"))
    watch.hear(Progress(5, 10, "estimating"))
    watch.hear(Begun(0, 0, "loading the model", estimated(), PlanesInMemory((2, 2))))
    watch.hear(Progress(0, 10, "deblurring"))
    watch.hear(Progress(0, 10, "checking the result"))
    watch.stop()
    assert speed.seconds("estimating", wanted) == pytest.approx(30)
    assert speed.seconds("deblurring", wanted) == pytest.approx(60)
    twice = replace(wanted, shape=(20, 1024, 1024))
    assert speed.seconds("deblurring", twice) == pytest.approx(120)
    other = replace(wanted, device="cuda")
    assert speed.seconds("deblurring", other) == pytest.approx(22, rel=0.1)


def test_work_that_was_too_short_or_not_finished_tells_nothing(wanted: Resolved) -> None:
    speed = Speed()
    for seconds in (0.1, None):
        clock = iter([100.0, 100.1])
        watch = Stopwatch(speed, wanted, estimates=True, now=lambda clock=clock: next(clock))
        watch.hear(Progress(0, 10, "estimating"))
        if seconds is not None:
            watch.stop()
    assert speed.seconds("estimating", wanted) == Speed().seconds("estimating", wanted)


def test_what_was_learned_is_of_the_computer(wanted: Resolved, monkeypatch) -> None:
    Speed().learn("estimating", wanted, 100.0)
    assert Speed().seconds("estimating", wanted) == pytest.approx(100)
    twice = replace(wanted, shape=(20, 1024, 1024))
    assert Speed().seconds("estimating", twice) == pytest.approx(200)
    # Another computer that has the same home folder.
    monkeypatch.setattr("platform.node", lambda: "other")
    assert Speed().seconds("estimating", wanted) == pytest.approx(5.6, rel=0.1)


@pytest.mark.parametrize("content", ["", "[1]", '{"a": "b"}', '{"a": null}', "{" * 2000])
def test_a_damaged_file_is_as_good_as_none(
    wanted: Resolved, settings_file: Path, content: str, caplog
) -> None:
    settings_file.with_name("speed.json").write_text(content)
    assert Speed().seconds("estimating", wanted) == pytest.approx(5.6, rel=0.1)
    assert "is not used" in caplog.text
    Speed().learn("estimating", wanted, 50.0)
    assert Speed().seconds("estimating", wanted) == pytest.approx(50)


def test_a_first_forecast_knows_the_optics_of_the_stack(wanted: Resolved) -> None:
    stack = Bench(known_layer(16, 128, 128)).resolved
    assert stack.per == "volume"
    cost = cost_of("estimating", stack)
    known = StackOptics(Optics(**OPTICS), z_step_um=0.5)
    assert cost == estimating_cost((16, 128, 128), "ZYX", stack=known)


@pytest.mark.parametrize(("told", "n"), [("3", 3), ("", None), ("x", None)])
def test_threads_are_those_of_pytorch(monkeypatch, told: str, n: int | None) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", told)
    monkeypatch.setattr("napari_deepblur.widgets.deblur.cost.speed.sys.modules", {})
    assert real_n_threads() == n if n else real_n_threads() >= 1


def test_a_short_run_counts_in_part(wanted: Resolved) -> None:
    short = replace(wanted, shape=(2, 512, 512))
    forecast = Speed().seconds("deblurring", short)
    assert forecast < 1.5
    Speed().learn("deblurring", short, 15.0)
    assert forecast < Speed().seconds("deblurring", short) < 9
    for _ in range(20):
        Speed().learn("deblurring", short, 15.0)
    assert Speed().seconds("deblurring", short) == pytest.approx(15, rel=0.1)


def test_the_dock_learns(monkeypatch) -> None:
    bench = Bench(known_layer(40, 64, 64))
    now = [100.0]
    monkeypatch.setattr(Stopwatch.__init__, "__kwdefaults__", {"now": lambda: now[0]})
    bench.controller.settings.per = "plane"
    bench.controller.psf.estimate()
    bench.runner.on_event(Progress(0, 10, "estimating"))
    now[0] += 50
    bench.runner.on_end(Done(estimated(40)))
    bench.controller.sharp.deblur()
    bench.runner.on_event(Begun(0, 0, "", estimated(40), PlanesInMemory((40, 64, 64))))
    bench.runner.on_event(Progress(0, 10, "deblurring"))
    now[0] += 120
    bench.runner.on_end(Done(deblurred(estimated(40), 40, 64, 64)))
    assert bench.view.show_cost.call_args.args[1] == "Roughly: deblur 2 min, 0.1 GB"
