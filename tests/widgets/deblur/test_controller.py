"""The dock's behaviour, without Qt and without networks."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image

from helpers.bench import Bench
from helpers.layers import (
    NAMES,
    OPTICS,
    checked,
    deblurred,
    estimated,
    known_layer,
    spots,
)
from napari_deepblur import Optics
from napari_deepblur.engine.events import Progress, Warned
from napari_deepblur.widgets.deblur.judgement import Verdict
from napari_deepblur.widgets.parts.tone import Tone
from napari_deepblur.widgets.tasks.task import Done, Failed


@pytest.fixture
def bench(layer: Image) -> Bench:
    return Bench(layer)


def test_opens_with_the_layer_that_is_there(bench: Bench, layer: Image) -> None:
    assert bench.controller.layer == layer
    assert bench.resolved.optics == Optics(**OPTICS)
    bench.view.show_blur.assert_called_with(None)


def test_opens_without_layers() -> None:
    bench = Bench()
    assert bench.controller.layer is None
    assert bench.resolved.verdict is Verdict.NO_LAYER
    bench.controller.psf.estimate()
    bench.controller.sharp.deblur()
    assert not bench.runner.started


def test_the_first_layer_that_comes_is_chosen(layer: Image) -> None:
    bench = Bench()
    bench.viewer.add_layer(layer)
    assert bench.controller.layer == layer


def test_layers_are_listed_as_they_come_go_and_change_their_names(bench: Bench) -> None:
    other = bench.viewer.add_image(spots(64, 64), name="other")
    bench.viewer.add_points([[1, 2]])
    other.name = "renamed"
    listed, current = bench.view.show_layers.call_args.args
    assert [layer.name for layer in listed] == ["renamed", "cells"]
    assert current.name == "renamed"
    bench.viewer.layers.remove("renamed")
    assert bench.controller.layer.name == "cells"


def test_the_layer_that_is_selected_is_followed(bench: Bench) -> None:
    cells, active = bench.controller.layer, bench.viewer.layers.selection
    other = bench.viewer.add_image(spots(64, 64), name="other")
    assert bench.controller.layer == other
    active.active = cells
    assert bench.controller.layer == cells
    bench.controller.psf.estimate()
    active.active = other
    assert bench.controller.layer == cells  # a task runs
    bench.runner.on_end(Done(estimated()))
    active.active = None
    active.active = other
    assert bench.controller.layer == other
    active.active = bench.viewer.layers["PSF (cells)"]
    assert bench.controller.layer == cells
    active.active = bench.viewer.add_points([[1, 2]])
    assert bench.controller.layer == cells


def test_a_layer_that_is_looked_at_for_a_psf_image_is_not_followed(bench: Bench) -> None:
    cells = bench.controller.layer
    bench.controller.settings.psf_source = "psf"
    bead = bench.viewer.add_image(spots(64, 64), name="bead", scale=(0.1, 0.1), units=("um",) * 2)
    assert bench.controller.layer == cells
    bench.controller.settings.psf_image = bead.unique_id
    bench.viewer.layers.selection.active = cells
    bench.viewer.layers.selection.active = bead
    assert bench.controller.layer == cells


def test_a_closed_dock_follows_nothing(bench: Bench) -> None:
    cells = bench.controller.layer
    bench.controller.close()
    bench.viewer.add_image(spots(64, 64), name="other")
    assert bench.controller.layer == cells


def test_estimate_shows_table_and_psf_layer(bench: Bench) -> None:
    bench.controller.psf.estimate()
    assert bench.controller.busy
    bench.view.show_busy.assert_called_with(busy=True)
    bench.runner.on_event(Progress(1, 2, "estimating"))
    bench.view.show_progress.assert_called_with(Progress(1, 2, "estimating"))
    bench.runner.on_end(Done(estimated()))
    assert not bench.controller.busy
    table = bench.view.show_blur.call_args.args[0]
    assert (table.title, table.names) == ("cells", NAMES)
    assert bench.names == ["cells", "PSF (cells)"]
    assert bench.message[0] is Tone.GOOD


@pytest.mark.parametrize("zoomed", [False, True])
def test_the_first_psf_comes_into_view_unless_the_user_zoomed_in(bench: Bench, zoomed) -> None:
    bench.viewer.layers["cells"].corner_pixels = np.array([[0, 0], [127, 60 if zoomed else 127]])
    asked = []
    bench.viewer.events.reset_view.connect(asked.append)
    for _ in range(2):
        bench.controller.psf.estimate()
        bench.runner.on_end(Done(estimated()))
    assert len(asked) == (0 if zoomed else 1)


def test_a_second_estimate_takes_the_place_of_the_first(bench: Bench) -> None:
    for _ in range(2):
        bench.controller.psf.estimate()
        bench.runner.on_end(Done(estimated()))
    assert bench.names == ["cells", "PSF (cells)"]


def test_psf_layers_are_not_offered(bench: Bench) -> None:
    bench.controller.psf.estimate()
    bench.runner.on_end(Done(estimated()))
    assert [layer.name for layer in bench.view.show_layers.call_args.args[0]] == ["cells"]


def test_the_table_follows_the_slider() -> None:
    bench = Bench(known_layer(3, 64, 64, translate=(10, 0, 0)))
    bench.controller.psf.estimate()
    bench.runner.on_end(Done(estimated(3)))
    for plane in (2, 0, 1):
        bench.viewer.dims.set_point(0, 10 + 0.5 * plane)
        table = bench.view.show_blur.call_args.args[0]
        assert table.title == f"cells, plane {plane}"
        np.testing.assert_allclose(table.coefficients, np.arange(7) / 100 + 0.07 * plane)


def test_the_table_tells_what_speaks_against_the_plane() -> None:
    bench = Bench(known_layer(3, 64, 64))
    bench.controller.psf.estimate()
    concerns = ((), ("saturated: 3 %", "undersampled: coarse"), ("saturated: 1 %",))
    bench.runner.on_end(Done(estimated(3, concerns=concerns, twin_resolved=True)))
    for plane in (1, 0, 2):
        bench.viewer.dims.set_point(0, 0.5 * plane)
        table = bench.view.show_blur.call_args.args[0]
        assert table.concerns == concerns[plane]
        assert (table.flagged, table.n_planes) == ((1, 2), 3)
        assert table.twin_resolved
    tone, text = bench.message
    assert tone is Tone.WARNING
    assert "2 of 3 planes are in doubt" in text


def test_planes_of_a_stack_with_the_same_kind_of_concern_say_it_once(bench: Bench) -> None:
    bench.controller.psf.estimate()
    concerns = (("saturated: 3 %", "saturated: 4 %", "undersampled: coarse"),)
    bench.runner.on_end(Done(estimated(per="stack", concerns=concerns)))
    table = bench.view.show_blur.call_args.args[0]
    assert table.concerns == ("saturated: 3 %", "undersampled: coarse")
    assert "in doubt" in bench.message[1]


def test_a_blur_without_checks_is_neither_clean_nor_flagged(bench: Bench) -> None:
    bench.controller.psf.estimate()
    bench.runner.on_end(Done(estimated()))
    table = bench.view.show_blur.call_args.args[0]
    assert table.concerns is None
    assert table.flagged == ()
    bench.controller.psf.estimate()
    bench.runner.on_end(Done(estimated(concerns=((),))))
    assert bench.view.show_blur.call_args.args[0].concerns == ()
    assert bench.message[0] is Tone.GOOD


def test_the_planes_distance_is_asked_of_the_engine(monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(
        "napari_deepblur.widgets.deblur.psf_actions.estimate_task",
        lambda *given: asked.append(given[-1]),
    )
    bench = Bench(known_layer(3, 64, 64))
    bench.controller.settings.focus_series = True
    bench.controller.psf.estimate()
    assert asked[0].z_step_um == 0.5


def test_a_scale_without_unit_can_be_taken_as_micrometres() -> None:
    bench = Bench(Image(spots(3, 64, 64), scale=(0.5, 0.09, 0.09), name="cells"))
    assert bench.resolved.bare_scale == 0.09
    bench.controller.take_scale_as_um()
    assert bench.resolved.bare_scale is None
    assert bench.resolved.fields["pixel_size_um"].value == 0.09
    assert bench.resolved.focus_step_um == 0.5


@pytest.mark.parametrize(
    "arguments", [{}, {"scale": (0.09, 0.09), "units": ("um", "um")}], ids=["1", "µm"]
)
def test_a_scale_is_offered_only_where_it_tells_something(arguments) -> None:
    assert Bench(Image(spots(64, 64), **arguments)).resolved.bare_scale is None


def test_what_was_said_of_one_layer_is_not_held_true_of_another() -> None:
    bench = Bench(known_layer(3, 64, 64, name="one"), known_layer(3, 64, 64, name="other"))
    bench.controller.settings.focus_series = True
    bench.controller.select(bench.viewer.layers["one"])
    assert bench.resolved.focus_step_um == 0.5
    assert bench.resolved.z_step_um is None


def test_missing_values_start_nothing() -> None:
    bench = Bench(Image(spots(64, 64), name="plain"))
    bench.controller.sharp.deblur()
    assert not bench.runner.started
    assert bench.message[0] is Tone.ERROR
    assert "pixel size" in bench.message[1]


def test_one_task_at_a_time(bench: Bench) -> None:
    bench.controller.psf.estimate()
    bench.controller.psf.estimate()
    bench.controller.sharp.deblur()
    bench.controller.psf.load("blur.json")
    assert len(bench.runner.started) == 1


def test_errors_are_shown(bench: Bench) -> None:
    bench.controller.psf.estimate()
    bench.runner.on_end(Failed("out of memory"))
    assert bench.message == (Tone.ERROR, "out of memory")
    assert not bench.controller.busy


def test_warnings_are_shown(bench: Bench) -> None:
    bench.controller.psf.estimate()
    bench.runner.on_event(Warned("undersampled image"))
    bench.runner.on_end(Done(estimated()))
    assert bench.message == (Tone.WARNING, "Estimated the blur of 'cells'.")
    assert bench.view.show_message.call_args.kwargs["details"] == "• Undersampled image."


def test_a_warning_is_not_repeated_where_a_section_says_it(bench: Bench) -> None:
    bench.controller.settings.pixel_size_um = 0.13
    concern = "outside the network's range: x"
    bench.controller.psf.estimate()
    for text in (bench.resolved.message, concern):
        bench.runner.on_event(Warned(text))
    bench.runner.on_end(Done(estimated(concerns=((concern,),))))
    assert bench.message[1].endswith("It is in doubt: see the section PSF.")
    assert not bench.view.show_message.call_args.kwargs["details"]


def test_a_message_goes_with_its_layer(bench: Bench) -> None:
    bench.controller.psf.estimate()
    bench.runner.on_end(Done(estimated()))
    bench.controller.select(bench.viewer.add_image(spots(64, 64)))
    assert bench.message == (Tone.INFO, "")


def test_cancelled_work_leaves_nothing(bench: Bench) -> None:
    bench.controller.psf.estimate()
    bench.controller.cancel()
    assert not bench.controller.busy
    assert bench.runner.n_cancelled == 1
    bench.runner.on_event(Progress(1, 1, "late"))
    bench.runner.on_end(Done(estimated()))
    assert bench.names == ["cells"]
    bench.view.show_progress.assert_not_called()
    assert bench.message == (Tone.INFO, "Cancelled.")


@pytest.mark.parametrize("change", ["remove", "data", "scale"])
def test_answers_for_a_layer_that_changed_are_dropped(bench: Bench, change: str) -> None:
    layer = bench.viewer.layers["cells"]
    bench.controller.psf.estimate()
    if change == "remove":
        bench.viewer.layers.remove(layer)
    elif change == "data":
        layer.data = spots(128, 128, seed=1)
    else:
        layer.scale = (0.1, 0.1)
    assert not bench.controller.busy
    bench.runner.on_end(Done(estimated()))
    assert "PSF (cells)" not in bench.names


def test_other_pixels_make_an_estimate_void(bench: Bench) -> None:
    bench.controller.psf.estimate()
    bench.runner.on_end(Done(estimated()))
    bench.viewer.layers["cells"].data = spots(128, 128, seed=1)
    bench.view.show_blur.assert_called_with(None)
    assert "its estimate does not hold any more" in bench.message[1]


def test_a_layer_whose_units_are_set_later_is_understood() -> None:
    bench = Bench(Image(spots(64, 64), scale=(0.09, 0.09)))
    assert "pixel_size_um" not in bench.resolved.fields
    bench.viewer.layers[0].units = ("um", "um")
    assert bench.resolved.fields["pixel_size_um"].value == 0.09


def test_typed_pixel_size_is_not_carried_to_another_layer() -> None:
    one, other = (Image(spots(64, 64), name=name) for name in ("one", "other"))
    bench = Bench(one, other)
    bench.controller.settings.update({"pixel_size_um": 0.1, "numerical_aperture": 1.2})
    bench.controller.select(one)
    assert "pixel_size_um" not in bench.resolved.fields
    assert bench.resolved.fields["numerical_aperture"].value == 1.2


def test_optics_of_one_layer_are_not_carried_to_another(bench: Bench) -> None:
    other = bench.viewer.add_image(spots(64, 64), name="other")
    bench.controller.select(other)
    assert set(bench.resolved.fields) == {"refractive_index"}


def test_a_closed_controller_listens_no_more(bench: Bench) -> None:
    bench.controller.psf.estimate()
    bench.controller.close()
    bench.view.reset_mock()
    bench.runner.on_end(Done(estimated()))
    bench.viewer.add_image(spots(64, 64))
    bench.viewer.layers["cells"].name = "other"
    bench.viewer.layers["other"].scale = (2, 2)
    bench.controller.settings.per = "stack"
    assert not bench.view.method_calls


def test_what_is_said_of_all_planes_is_said_of_the_image() -> None:
    bench = Bench(known_layer(3, 64, 64))
    bench.controller.sharp.deblur()
    found = estimated(3, concerns=((), (), ()))
    doubts = (("outside the network's range: x",),) * 3
    bench.runner.on_end(Done(deblurred(found, 3, 64, 64, check=checked(3, concerns=doubts))))
    assert bench.message[1].endswith("It is in doubt: see the section Deblur.")
