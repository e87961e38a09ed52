"""A deblurred image that comes plane by plane, and what is kept of it, without Qt."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.bench import Bench
from helpers.layers import checked, deblurred, estimated, known_layer
from napari_deepblur.engine.destination import PlanesInMemory
from napari_deepblur.engine.events import Progress
from napari_deepblur.widgets.deblur.deblur_task import Begun, Deblurred, PlanesDone
from napari_deepblur.widgets.parts.tone import Tone
from napari_deepblur.widgets.tasks.task import Cancelled, Done, Failed

SHAPE = (4, 64, 64)


class Run:
    """A click on Deblur, whose planes the test finishes."""

    def __init__(self, bench: Bench, shape: tuple[int, ...] = SHAPE) -> None:
        self.bench, self.sharp = bench, PlanesInMemory(shape)
        self.found = estimated(self.sharp.n_planes)
        bench.controller.sharp.deblur()
        bench.runner.on_event(Begun(0, 0, "loading the model", self.found, self.sharp))

    def finish(self, *planes: int, bright: float = 1.0) -> None:
        for plane in planes:
            index = np.unravel_index(plane, self.sharp.shape[:-2])
            self.sharp[tuple(map(int, index))] = np.full(self.sharp.shape[-2:], plane + 1)
        done = PlanesDone(len(planes), 4, "deblurring", frozenset(planes), bright)
        self.bench.runner.on_event(done)

    def complete(self, **changes) -> None:
        n = self.sharp.n_planes
        fields = {"check": checked(n)} | changes
        result = Deblurred(self.found, self.sharp.data, (0, 9), 5000.0, **fields)
        self.bench.runner.on_end(Done(result))


@pytest.fixture
def bench() -> Bench:
    return Bench(known_layer(*SHAPE))


def metadata(bench: Bench) -> dict:
    return bench.viewer.layers[-1].metadata["deepblur"]


def test_the_blur_is_shown_once_it_is_found(bench: Bench) -> None:
    run = Run(bench)
    assert bench.controller.busy
    assert bench.view.show_blur.call_args.args[0] is not None
    assert bench.names == ["cells", "PSF (cells)"]
    bench.controller.cancel()
    assert bench.message == (Tone.INFO, "Cancelled.")
    assert bench.names == ["cells", "PSF (cells)"]  # no plane, no layer
    assert bench.controller._work.known_blur(bench.controller.layer, bench.resolved) is run.found


def test_planes_are_shown_as_they_come(bench: Bench) -> None:
    run = Run(bench)
    run.finish(0)
    assert bench.names[-1] == "deblurred (cells), 1 of 4"
    layer = bench.viewer.layers[-1]
    assert layer.data is run.sharp.data
    assert layer.contrast_limits == bench.controller.layer.contrast_limits
    drawn = []
    layer.events.set_data.connect(drawn.append)
    bench.viewer.dims.set_point(0, 0.5 * 2)
    drawn.clear()
    run.finish(1)
    assert not drawn  # nobody looks at it
    run.finish(2)
    assert drawn
    assert bench.names[-1] == "deblurred (cells), 3 of 4"
    assert layer.get_value(layer.world_to_data((1, 0, 0))) == 3
    run.finish(3)
    run.complete()
    assert bench.names == ["cells", "PSF (cells)", "deblurred (cells)"]
    assert bench.viewer.layers[-1] is layer
    assert layer.contrast_limits[1] == 5000
    assert "check" in metadata(bench)
    assert "planes_done" not in metadata(bench)
    assert bench.view.show_check.call_args.args[0] is not None


def test_contrast_that_was_set_meanwhile_stays(bench: Bench) -> None:
    run = Run(bench)
    run.finish(0)
    bench.viewer.layers[-1].contrast_limits = (10, 90)
    run.complete()
    assert bench.viewer.layers[-1].contrast_limits == [10, 90]


@pytest.mark.parametrize("end", ["cancel", "cancel elsewhere", "error", "data", "remove"])
def test_finished_planes_are_kept_however_it_ends(bench: Bench, end: str) -> None:
    run, source = Run(bench), bench.controller.layer
    run.finish(0)
    run.finish(2)
    if end == "cancel":
        bench.controller.cancel()
    elif end == "cancel elsewhere":
        bench.runner.on_end(Cancelled())
    elif end == "error":
        bench.runner.on_end(Failed("out of memory"))
    elif end == "data":
        source.data = source.data + 1
    else:
        bench.viewer.layers.remove(source)
    assert not bench.controller.busy
    assert bench.names[-1] == "deblurred (cells), incomplete: 2 of 4"
    assert metadata(bench)["planes_done"] == [0, 2]
    assert "2 of 4 planes are finished and kept." in bench.message[1]
    # The thread was in the middle of a plane.
    run.finish(3)
    assert not run.sharp.data[3].any()
    assert metadata(bench)["planes_done"] == [0, 2]


def test_cancelling_the_check_keeps_a_complete_image(bench: Bench) -> None:
    run = Run(bench)
    run.finish(0, 1, 2, 3)
    bench.controller.cancel()
    assert bench.names[-1] == "deblurred (cells)"
    assert "planes_done" not in metadata(bench)
    assert bench.message[1] == "Cancelled. The deblurred image is complete, but was not checked."


def test_the_next_run_takes_the_place_of_an_incomplete_one(bench: Bench) -> None:
    first = Run(bench)
    first.finish(0, 1)
    bench.controller.cancel()
    second = Run(bench)
    second.finish(0)
    bench.controller.cancel()
    # It has less than the other one: both stay.
    assert [name for name in bench.names if "incomplete" in name] == [
        "deblurred (cells), incomplete: 2 of 4",
        "deblurred (cells), incomplete: 1 of 4",
    ]
    third = Run(bench)
    third.finish(0, 1, 2)
    bench.controller.cancel()
    assert bench.names[2:] == ["deblurred (cells), incomplete: 3 of 4"]
    last = Run(bench)
    last.finish(0, 1, 2, 3)
    last.complete()
    assert bench.names == ["cells", "PSF (cells)", "deblurred (cells)"]
    assert bench.viewer.layers[-1].data is last.sharp.data


def test_a_complete_result_is_there_until_the_next_one_is(bench: Bench) -> None:
    first = Run(bench)
    first.finish(0, 1, 2, 3)
    first.complete()
    second = Run(bench)
    second.finish(0)
    assert bench.names[2:] == ["deblurred (cells)", "deblurred (cells), 1 of 4"]
    second.finish(1, 2, 3)
    second.complete()
    assert bench.names[2:] == ["deblurred (cells)"]
    assert bench.viewer.layers[-1].data is second.sharp.data


def test_removing_the_result_stops_the_work(bench: Bench) -> None:
    run = Run(bench)
    run.finish(0)
    bench.viewer.layers.remove(bench.viewer.layers[-1])
    assert not bench.controller.busy
    assert bench.runner.n_cancelled == 1
    assert "result was removed" in bench.message[1]
    assert bench.names == ["cells", "PSF (cells)"]


def test_renaming_the_image_meanwhile_makes_no_second_layer(bench: Bench) -> None:
    run = Run(bench)
    run.finish(0)
    bench.controller.layer.name = "nuclei"
    run.complete()
    assert bench.names == ["nuclei", "PSF (cells)", "deblurred (nuclei)"]


def test_a_single_plane_has_no_count(bench: Bench) -> None:
    bench = Bench(known_layer(64, 64))
    run = Run(bench, (64, 64))
    run.finish(0)
    assert bench.names[-1] == "deblurred (cells)"
    bench.runner.on_event(Progress(0, 1, "checking the result"))
    run.complete()
    assert bench.names == ["cells", "PSF (cells)", "deblurred (cells)"]


def test_work_on_other_settings_is_another_layer(bench: Bench) -> None:
    run = Run(bench)
    run.finish(0, 1, 2, 3)
    run.complete()
    bench.controller.settings.per = "stack"
    bench.controller.sharp.deblur()
    bench.runner.on_end(Done(deblurred(estimated(per="stack", n_planes=4), *SHAPE)))
    assert [name for name in bench.names if "deblurred" in name] == [
        "deblurred (cells)",
        "deblurred, one PSF (cells)",
    ]
