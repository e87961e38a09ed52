"""A blur that says of itself that it is hardly more than a guess; without Qt but for the last."""

from __future__ import annotations

import pytest
from napari.layers import Image

from helpers.bench import Bench
from helpers.layers import deblurred, estimated, estimated_in_3d, known_layer
from napari_deepblur.engine.events import finish
from napari_deepblur.widgets.deblur.deblur_task import Begun, deblur_or_ask_task
from napari_deepblur.widgets.deblur.dock import DeblurDock
from napari_deepblur.widgets.parts.tone import Tone
from napari_deepblur.widgets.tasks.task import Done

GUESS = ("little better than a guess: x",)
DOUBTS = ("saturated: x", "undersampled: x")


@pytest.fixture
def bench(layer: Image) -> Bench:
    return Bench(layer)


def estimate(bench: Bench, found) -> None:
    bench.controller.psf.estimate()
    bench.runner.on_end(Done(found))


def question(bench: Bench) -> str:
    return bench.view.show_question.call_args.args[0]


@pytest.mark.parametrize(
    ("found", "begins"),
    [
        (estimated(concerns=(GUESS,)), "The image does not tell the PSF"),
        (estimated(3, concerns=(GUESS, (), GUESS)), "Most planes do not tell"),
        (estimated(3, concerns=(GUESS, (), DOUBTS)), ""),
        (estimated(concerns=(DOUBTS,)), ""),
        (estimated(concerns=((),)), ""),
    ],
)
def test_it_is_asked_about_where_it_is_a_guess(found, begins: str) -> None:
    n_rows = len(found.blur.coefficients)
    bench = Bench(known_layer(128, 128) if n_rows == 1 else known_layer(3, 64, 64))
    assert not question(bench)
    estimate(bench, found)
    assert question(bench)[: len(begins)] == begins
    assert bool(question(bench)) == bool(begins)


def test_a_stack_that_does_not_tell_its_blur_is_asked_about() -> None:
    bench = Bench(known_layer(8, 64, 64))
    estimate(bench, estimated_in_3d(concerns=(("the stack does not tell its blur: x",),)))
    assert question(bench) == "The stack does not tell the PSF. Deblur with"
    assert bench.message == (Tone.INFO, "Estimated the blur of 'cells'.")


def test_deblur_waits_for_the_answer(bench: Bench) -> None:
    estimate(bench, estimated(concerns=(GUESS,)))
    bench.controller.sharp.deblur()
    assert len(bench.runner.started) == 1
    assert bench.message[0] is Tone.WARNING
    bench.controller.psf.use_all_the_same()
    assert not question(bench)
    bench.controller.sharp.deblur()
    assert len(bench.runner.started) == 2
    bench.runner.on_end(Done(deblurred(estimated(concerns=(GUESS,)), 128, 128)))
    assert "deblurred (cells)" in bench.names
    assert not question(bench)


def test_the_ideal_psf_is_one_click_away(bench: Bench) -> None:
    bench.controller.settings.device = "cpu"
    estimate(bench, estimated(concerns=(GUESS,)))
    bench.controller.psf.use_ideal()
    assert not question(bench)
    bench.runner.on_end(Done(finish(bench.runner.started[-1])))
    assert bench.view.show_blur.call_args.args[0].known == "ideal PSF"
    assert not question(bench)


def test_another_estimate_is_asked_about_anew(bench: Bench) -> None:
    estimate(bench, estimated(concerns=(GUESS,)))
    bench.controller.psf.use_all_the_same()
    estimate(bench, estimated(concerns=(GUESS,)))
    assert question(bench)


def test_an_outdated_estimate_is_not_asked_about(bench: Bench) -> None:
    estimate(bench, estimated(concerns=(GUESS,)))
    bench.controller.settings.numerical_aperture = 1.2
    assert not question(bench)


def test_deblur_without_an_estimate_stops_at_a_guess(bench: Bench) -> None:
    bench.controller.sharp.deblur()
    bench.runner.on_end(Done(estimated(concerns=(GUESS,))))
    assert bench.names == ["cells", "PSF (cells)"]
    assert question(bench)


@pytest.mark.parametrize("concerns", [GUESS, ()])
def test_the_task_goes_on_with_what_is_no_guess(monkeypatch, bench: Bench, concerns) -> None:
    found = estimated(concerns=(concerns,))

    def read(image, wanted):
        yield from ()
        return found

    monkeypatch.setattr("napari_deepblur.widgets.deblur.deblur_task.estimate_task", read)
    task = deblur_or_ask_task(bench.controller.layer.data, bench.resolved, None)
    if concerns:
        assert finish(task) is found
    else:
        assert isinstance(next(task), Begun)
        task.close()


def test_the_buttons_answer(viewer, qtbot) -> None:
    layer = viewer.add_layer(known_layer(96, 96))
    dock = DeblurDock(viewer)
    viewer.window.add_dock_widget(dock, name="Deep-Blur")
    bar = dock.run_bar
    assert bar.question.isHidden()
    assert bar.deblur.isEnabled()
    list(dock.controller._work.keep(layer, estimated(concerns=(GUESS,))))
    assert not bar.question.isHidden()
    assert bar.ideal.isVisibleTo(dock)
    assert bar.preview.isEnabled()
    assert not bar.deblur.isEnabled()
    bar.all_the_same.click()
    assert bar.question.isHidden()
    assert bar.deblur.isEnabled()
    list(dock.controller._work.keep(layer, estimated(concerns=(GUESS,))))
    bar.ideal.click()
    qtbot.waitUntil(lambda: not dock.controller.busy, timeout=60_000)
    assert dock.psf.source_form.source_box.value() == "ideal"
    assert dock.sections["PSF"].summary.text() == "ideal PSF"
    assert bar.question.isHidden()
    assert bar.deblur.isEnabled()
