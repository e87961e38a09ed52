"""The behaviour of the dock "Calibrate from beads", without Qt and without engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from napari.layers import Image

from helpers.calibrations import CalibrateBench, bead_table, calibrated, found_beads
from helpers.layers import assert_same_geometry, known_layer
from napari_deepblur.engine.events import Progress
from napari_deepblur.widgets.calibrate import result_actions
from napari_deepblur.widgets.calibrate.readiness import Readiness
from napari_deepblur.widgets.made import Made
from napari_deepblur.widgets.parts.tone import Tone
from napari_deepblur.widgets.tasks.task import Done, Failed

RESULTS = ["PSF field (cells)", "beads (cells)"]


@pytest.fixture
def layer() -> Image:
    return known_layer(96, 128)


@pytest.fixture
def bench(layer: Image) -> CalibrateBench:
    return CalibrateBench(layer)


def find(bench: CalibrateBench, n: int = 1, *, plane: int = 0) -> None:
    bench.controller.beads.find()
    bench.runner.on_end(Done(found_beads(n, plane=plane)))


def calibrate(bench: CalibrateBench, *tables, plane: int = 0) -> None:
    bench.controller.result.calibrate()
    bench.runner.on_end(Done(calibrated(tables or [bead_table()], plane=plane)))


@pytest.fixture(autouse=True)
def asked(monkeypatch) -> list:
    """What calibrations were asked for: layers and positions."""
    calls = []

    def record(stack, positions):
        calls.append((stack, positions))
        return iter(())

    monkeypatch.setattr(result_actions, "calibrate_task", record)
    return calls


def test_opens_with_the_layer_that_is_there(bench: CalibrateBench, layer: Image) -> None:
    assert bench.controller.layers == (layer,)
    assert bench.plan.can_run
    assert bench.counts is None
    bench.view.show_result.assert_called_with(None)


def test_opens_without_layers() -> None:
    bench = CalibrateBench()
    assert bench.plan.readiness is Readiness.NO_LAYER
    bench.controller.beads.find()
    bench.controller.result.calibrate()
    assert not bench.runner.started
    assert bench.message[0] is Tone.ERROR


def test_the_first_layer_that_comes_is_chosen(layer: Image) -> None:
    bench = CalibrateBench()
    bench.viewer.add_layer(layer)
    assert bench.controller.layers == (layer,)


def test_found_beads_become_points(bench: CalibrateBench, layer: Image) -> None:
    bench.controller.beads.find()
    bench.view.show_busy.assert_called_with(busy=True)
    bench.runner.on_event(Progress(1, 2, "finding beads"))
    bench.view.show_progress.assert_called_with(Progress(1, 2, "finding beads"))
    bench.runner.on_end(Done(found_beads()))
    assert bench.names == ["cells", "beads (cells)"]
    assert_same_geometry(bench.viewer.layers["beads (cells)"], layer)
    assert bench.counts == {"used": 3, "unlike the others": 1, "crowded": 1, "border": 1}
    assert bench.message[0] is Tone.GOOD
    assert "6 beads, 3 of them usable" in bench.message[1]


def test_finding_again_takes_the_place_of_the_former_points(bench: CalibrateBench) -> None:
    find(bench)
    bench.viewer.layers["beads (cells)"].add([5, 6])
    assert bench.counts["added by hand"] == 1
    find(bench)
    assert bench.names == ["cells", "beads (cells)"]
    assert "added by hand" not in bench.counts


@pytest.mark.parametrize(
    ("kept", "words"), [(0, "No beads found"), (1, "Found 1 bead, none of them usable")]
)
def test_without_usable_beads_it_says_what_to_do(bench, kept: int, words: str) -> None:
    bench.controller.beads.find()
    bench.runner.on_end(Done(found_beads(tables=[bead_table().iloc[1 : 1 + kept]])))
    assert bench.message[0] is Tone.WARNING
    assert words in bench.message[1]
    assert bench.names == ["cells", "beads (cells)"]


def test_calibrate_alone_finds_the_beads_first(bench: CalibrateBench, asked) -> None:
    bench.controller.result.calibrate()
    assert asked[-1][1] == [None]
    bench.runner.on_end(Done(calibrated([bead_table()])))
    assert bench.names == ["cells", *RESULTS]
    assert bench.viewer.layers.selection.active.name == "beads (cells)"
    summary = bench.view.show_result.call_args.args[0]
    assert (summary.n_used, summary.n_beads, len(summary.parts.eigen_psfs)) == (3, 6, 3)
    assert summary.fwhm_um == (0.25, 0.4)
    assert summary.error_db == -24
    assert summary.drift is None
    assert summary.notes == ("few beads",)


def test_corrections_are_honoured(bench: CalibrateBench, asked) -> None:
    find(bench)
    points = bench.viewer.layers["beads (cells)"]
    points.selected_data = {0}
    points.remove_selected()
    points.add([50, 60])
    bench.controller.result.calibrate()
    (positions,) = asked[-1][1]
    expected = [*bead_table()[["y", "x"]].to_numpy()[[2, 4]], [50, 60]]
    np.testing.assert_array_equal(positions, expected)
    judged = bead_table().iloc[[2, 4, 4]].reset_index(drop=True)
    judged.loc[2, ["y", "x", "status"]] = [50.2, 60.1, "faint"]
    bench.runner.on_end(Done(calibrated([judged])))
    # Those that were rejected and not touched stay so; what was added was judged.
    assert bench.counts == {
        "used": 2,
        "unlike the others": 1,
        "crowded": 1,
        "border": 1,
        "faint": 1,
    }
    assert bench.view.show_result.call_args.args[0].n_beads == 6
    bench.controller.result.calibrate()
    assert asked[-1][1] == [None]


def test_a_second_calibration_takes_the_place_of_the_first(bench: CalibrateBench) -> None:
    calibrate(bench)
    calibrate(bench)
    assert bench.names == ["cells", *RESULTS]


def test_results_are_not_offered_as_images(bench: CalibrateBench) -> None:
    calibrate(bench)
    assert [layer.name for layer in bench.view.show_layers.call_args.args[0]] == ["cells"]


def test_several_layers_are_acquisitions_in_the_order_of_the_list(asked) -> None:
    layers = [known_layer(96, 128, name=name) for name in ("cold", "warm")]
    bench = CalibrateBench(*layers)
    assert bench.controller.layers == (layers[1],)
    bench.controller.select(layers[::-1])
    assert bench.controller.layers == tuple(layers)
    find(bench, 2)
    assert bench.names == ["cold", "warm", "beads (cold)", "beads (warm)"]
    assert bench.counts["used"] == 6
    bench.viewer.layers["beads (warm)"].add([5, 6])
    bench.controller.result.calibrate()
    first, second = asked[-1][1]
    assert first is None
    assert len(second) == 4
    bench.runner.on_end(Done(calibrated([bead_table(), bead_table().iloc[[0, 2, 4]]])))
    assert bench.viewer.layers.selection.active.name == "beads (cold)"
    assert bench.viewer.layers["PSF field (cold)"].visible
    assert not bench.viewer.layers["PSF field (warm)"].visible
    drift = bench.view.show_result.call_args.args[0].drift
    assert drift.coefficients.shape == (2, 5)
    assert drift.acquisitions == ("time 0", "time 1")


def test_the_slider_goes_to_the_plane_of_the_beads() -> None:
    bench = CalibrateBench(known_layer(5, 96, 128, translate=(7, 0, 0)))
    find(bench, plane=3)
    assert bench.viewer.dims.point[0] == 7 + 3 * 0.5


def test_calibrates_in_the_plane_in_which_the_beads_were_found(asked) -> None:
    bench = CalibrateBench(known_layer(5, 96, 128))
    bench.controller.wishes.plane = "current"
    bench.viewer.dims.set_point(0, 0.5 * 3)
    find(bench, plane=3)
    bench.viewer.dims.set_point(0, 0)
    bench.controller.result.calibrate()
    assert asked[-1][0].settings.plane == 3


def test_a_failure_is_one_line_and_leaves_all_as_it_was(bench: CalibrateBench) -> None:
    find(bench)
    bench.controller.result.calibrate()
    bench.runner.on_end(Failed("no bead can be used"))
    assert bench.message == (Tone.ERROR, "no bead can be used")
    assert bench.names == ["cells", "beads (cells)"]
    assert not bench.controller.busy


def test_cancelled_work_is_dropped(bench: CalibrateBench) -> None:
    bench.controller.beads.find()
    bench.controller.cancel()
    assert bench.message == (Tone.INFO, "Cancelled.")
    bench.runner.on_end(Done(found_beads()))
    assert bench.names == ["cells"]


def test_editing_points_stops_a_calibration(bench: CalibrateBench) -> None:
    find(bench)
    bench.controller.result.calibrate()
    bench.viewer.layers["beads (cells)"].add([5, 6])
    assert not bench.controller.busy
    assert "edited" in bench.message[1]
    assert bench.counts["added by hand"] == 1


def test_an_image_removed_while_it_is_worked_on(bench: CalibrateBench) -> None:
    bench.controller.beads.find()
    bench.viewer.layers.remove("cells")
    assert not bench.controller.busy
    assert bench.controller.layers == ()
    assert "an image was removed" in bench.message[1]
    bench.runner.on_end(Done(found_beads()))
    assert not bench.names


@pytest.mark.parametrize(("name", "value"), [("translate", (3, 4)), ("rotate", 30)])
def test_moving_an_image_keeps_the_task(bench: CalibrateBench, layer, name, value) -> None:
    bench.controller.beads.find()
    setattr(layer, name, value)
    assert bench.controller.busy
    bench.runner.on_end(Done(found_beads()))
    assert_same_geometry(bench.viewer.layers["beads (cells)"], layer)


def test_an_edit_that_stops_the_task_says_so(bench: CalibrateBench, layer) -> None:
    bench.controller.beads.find()
    layer.scale = (0.2, 0.2)
    assert not bench.controller.busy
    assert bench.message == (Tone.WARNING, "Stopped, because the scale of 'cells' changed.")


def test_points_removed_while_calibrating_come_back(bench: CalibrateBench) -> None:
    find(bench)
    bench.controller.result.calibrate()
    bench.viewer.layers.remove("beads (cells)")
    assert bench.counts is None
    bench.runner.on_end(Done(calibrated([bead_table()])))
    assert bench.names == ["cells", *RESULTS]


def test_points_follow_an_image_that_is_moved(bench: CalibrateBench, layer: Image) -> None:
    find(bench)
    layer.scale = (0.2, 0.2)
    assert_same_geometry(bench.viewer.layers["beads (cells)"], layer)
    assert bench.plan.settings.pixel_um == 0.2


def test_points_that_no_longer_fit_go(bench: CalibrateBench, layer: Image) -> None:
    bench = CalibrateBench(known_layer(3, 96, 128, axis_labels=("t", "y", "x")))
    find(bench, 3)
    bench.viewer.layers["cells"].axis_labels = ("z", "y", "x")
    assert bench.names == ["cells"]
    assert bench.counts is None


def test_save_tells_what_comes_next(tmp_path: Path) -> None:
    bench = CalibrateBench(known_layer(3, 96, 128, axis_labels=("t", "y", "x")))
    bench.controller.result.save(tmp_path / "family")
    assert bench.message[0] is Tone.ERROR
    calibrate(bench, *[bead_table()] * 3)
    bench.view.show_report.assert_called_with(None)
    bench.controller.result.save(tmp_path / "family")
    bench.runner.on_end(Done(tmp_path / "family"))
    bench.view.show_report.assert_called_with(tmp_path / "family" / "report.html")
    assert "deepblur train identification" in bench.message[1]


def test_one_blur_is_nothing_to_train_for(bench: CalibrateBench, tmp_path: Path) -> None:
    calibrate(bench)
    bench.controller.result.save(tmp_path / "family")
    bench.runner.on_end(Done(tmp_path / "family"))
    assert bench.message == (Tone.GOOD, f"Saved to {tmp_path / 'family'}.")


def test_a_saved_calibration_is_loaded_shown_and_handed_on(bench, tmp_path: Path) -> None:
    made = Made.of(bench.viewer)
    bench.controller.result.load(tmp_path / "monday")
    loaded = calibrated([bead_table()])
    bench.runner.on_end(Done(loaded))
    assert bench.view.show_result.call_args.args[0].title == "monday"
    assert made.result is loaded.result
    made.keep(calibrated([bead_table()]).result)
    assert bench.controller.result.hand_on()
    assert made.result is loaded.result
    # That of the layers takes its place, and so do other layers.
    calibrate(bench)
    assert bench.view.show_result.call_args.args[0].title == "cells"
    bench.controller.result.load(tmp_path / "monday")
    bench.runner.on_end(Done(loaded))
    bench.controller.select([])
    bench.view.show_result.assert_called_with(None)


def test_nothing_is_handed_on_where_there_is_nothing(bench: CalibrateBench) -> None:
    assert not bench.controller.result.hand_on()
    assert bench.message[0] is Tone.ERROR


def test_eigen_psfs_become_layers_on_demand(bench: CalibrateBench) -> None:
    calibrate(bench)
    for _ in range(2):
        bench.controller.result.show_parts()
    assert bench.names == [
        "cells",
        RESULTS[0],
        "eigen-PSFs (cells)",
        "weight maps (cells)",
        RESULTS[1],
    ]


def test_a_reopened_dock_still_knows_the_calibration(bench: CalibrateBench) -> None:
    bench.controller.wishes.numerical_aperture = 1.3
    calibrate(bench)
    bench.viewer.layers.selection.clear()
    bench.controller.close()
    again = CalibrateBench(viewer=bench.viewer)
    assert again.view.show_result.call_args.args[0].title == "cells"
    assert again.plan.fields["numerical_aperture"].value == 1.3


def test_the_window_answers_between_the_layers_of_a_result(layer: Image) -> None:
    waiting = []
    bench = CalibrateBench(layer, later=waiting.append)
    calibrate(bench)
    assert bench.names == ["cells"]
    assert bench.controller.busy
    waiting.pop()()
    assert bench.names == ["cells", "beads (cells)"]
    while waiting:
        waiting.pop()()
    assert bench.names == ["cells", *RESULTS]
    assert not bench.controller.busy
    calibrate(bench)
    bench.controller.cancel()
    waiting.pop()()
    assert not waiting


def test_closed_it_hears_nothing(bench: CalibrateBench) -> None:
    find(bench)
    bench.controller.result.calibrate()
    bench.controller.close()
    assert bench.runner.n_cancelled == 1
    bench.view.reset_mock()
    bench.runner.on_end(Done(calibrated([bead_table()])))
    bench.viewer.layers["beads (cells)"].add([5, 6])
    bench.viewer.layers.clear()
    bench.controller.wishes.window = 31
    assert not bench.view.mock_calls


def test_beads_that_were_found_are_not_looked_for_again(bench: CalibrateBench, asked) -> None:
    bench.controller.result.calibrate()
    assert asked[-1][0].found is None
    found = found_beads(1)
    found = replace(found, settings=bench.plan.settings)
    bench.controller.cancel()
    bench.controller.beads.find()
    bench.runner.on_end(Done(found))
    bench.controller.result.calibrate()
    assert asked[-1][0].found is found
    bench.controller.cancel()
    bench.viewer.layers["cells"].data = bench.viewer.layers["cells"].data + 1
    bench.controller.result.calibrate()
    assert asked[-1][0].found is None


def test_each_choice_of_layers_has_its_own_figures(tmp_path: Path) -> None:
    """Saving after another image was chosen never saves the former one's calibration."""
    first, second = (known_layer(96, 128, name=name) for name in ("cold", "warm"))
    bench = CalibrateBench(first, second)
    bench.controller.select([first])
    calibrate(bench)
    assert bench.view.show_result.call_args.args[0].title == "cold"
    bench.controller.select([second])
    bench.view.show_result.assert_called_with(None)
    bench.controller.result.save(tmp_path / "family")
    assert bench.message[0] is Tone.ERROR
    bench.controller.select([first])
    assert bench.view.show_result.call_args.args[0].title == "cold"
    bench.viewer.layers.remove(first)
    bench.view.show_result.assert_called_with(None)


@pytest.mark.parametrize(("error_db", "tone"), [(-24.0, Tone.GOOD), (-8.1, Tone.WARNING)])
def test_a_rough_calibration_gets_no_tick(bench: CalibrateBench, error_db, tone) -> None:
    good = calibrated([bead_table()])
    result = replace(good.result, notes=(), cross_validation_db=np.full(3, error_db))
    bench.controller.result.calibrate()
    bench.runner.on_end(Done(replace(good, result=result)))
    assert bench.message[0] is tone
    assert ("rough guide" in bench.message[1]) == (tone is Tone.WARNING)


def test_one_bead_is_one_bead_and_gets_no_tick(bench: CalibrateBench) -> None:
    good = calibrated([bead_table().iloc[:1]])
    result = replace(good.result, cross_validation_db=np.zeros(0))
    bench.controller.result.calibrate()
    bench.runner.on_end(Done(replace(good, result=result)))
    tone, text = bench.message
    assert tone is Tone.WARNING
    assert "from 1 bead." in text
    assert "too few beads" in text


def test_circles_of_the_chosen_image_only() -> None:
    layers = [known_layer(96, 128, name=name) for name in ("cold", "warm")]
    bench = CalibrateBench(*layers)
    bench.controller.select(layers)
    find(bench, 2)

    def shown() -> list[str]:
        return [one.name for one in bench.viewer.layers if "beads" in one.name and one.visible]

    assert shown() == ["beads (cold)"]
    bench.viewer.layers.selection.active = layers[1]
    assert shown() == ["beads (warm)"]
    # To edit points one chooses their layer: nothing changes then.
    bench.viewer.layers.selection.active = bench.viewer.layers["beads (cold)"]
    assert shown() == ["beads (warm)"]
