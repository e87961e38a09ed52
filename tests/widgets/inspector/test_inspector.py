"""The PSF inspector: which blurs it offers, what it shows of them; the dock in a window."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import MagicMock

import numpy as np
import pytest
from napari.components import ViewerModel

import napari_deepblur as ndb
from helpers.bench import Runner
from helpers.calibrations import bead_table, calibrated
from helpers.layers import OPTICS, known_layer
from helpers.stacks import GAMMA, KNOWN
from napari_deepblur.engine.events import finish
from napari_deepblur.widgets.inspector.controller import InspectorController
from napari_deepblur.widgets.inspector.dock import InspectorDock
from napari_deepblur.widgets.inspector.view import InspectorView
from napari_deepblur.widgets.made import Made
from napari_deepblur.widgets.parts.tone import Tone
from napari_deepblur.widgets.tasks.task import Done

MICROSCOPE = ndb.Optics(**OPTICS)


class Bench:
    def __init__(self) -> None:
        self.viewer, self.view, self.runner = (
            ViewerModel(),
            MagicMock(spec=InspectorView),
            Runner(),
        )
        self.layer = self.viewer.add_layer(known_layer(96, 128))
        self.controller = InspectorController(self.viewer, self.view, start=self.runner)

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.view.show_choices.call_args.args[0]]

    @property
    def shown(self):
        return self.view.show_comparison.call_args.args[0]

    def keep_blur(self, blur) -> None:
        Made.of(self.viewer).keep_blur(self.layer, blur)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def calibration():
    result = calibrated([bead_table(), bead_table(1)], (96, 128)).result
    return replace(result, pixel_size_um=0.1)


def test_nothing_is_shown_where_there_is_nothing(bench: Bench) -> None:
    assert bench.names == []
    assert bench.shown.blurs == ()


def test_a_blur_that_is_made_is_offered_and_shown(bench: Bench) -> None:
    blur = ndb.ideal_blur(MICROSCOPE)
    bench.keep_blur(blur)
    assert bench.names == ["cells"]
    (shown,) = bench.shown.blurs
    np.testing.assert_array_equal(shown.psf.psf, blur.psf())
    assert shown.cutoff_per_um == pytest.approx(2 * 1.4 / 0.52)
    assert shown.figures.energy.y[-1] == pytest.approx(1)
    assert bench.shown.difference is None


def test_a_removed_layer_takes_its_blur_along(bench: Bench) -> None:
    bench.keep_blur(ndb.ideal_blur(MICROSCOPE))
    bench.viewer.layers.remove(bench.layer)
    assert bench.names == []
    assert bench.shown.blurs == ()


def test_two_blurs_at_other_pixels_are_compared_as_one(bench: Bench, tmp_path) -> None:
    bench.keep_blur(ndb.ideal_blur(MICROSCOPE))
    fine = MICROSCOPE.model_copy(update={"pixel_size_um": 0.06})
    ndb.ideal_blur(fine).save(tmp_path / "fine.json")
    bench.controller.open(1, tmp_path / "fine.json")
    bench.runner.on_end(Done(finish(bench.runner.started[-1])))
    assert bench.view.show_message.call_args.args == (Tone.GOOD, "Opened fine.json.")
    assert bench.names == ["cells", "fine.json"]
    assert [blur.name for blur in bench.shown.blurs] == ["cells", "fine.json"]
    assert bench.shown.difference_db < -40
    assert bench.shown.difference.psf.shape == bench.shown.blurs[0].psf.psf.shape


def test_the_difference_is_that_of_the_psfs(bench: Bench) -> None:
    bench.keep_blur(ndb.ideal_blur(MICROSCOPE))
    other = bench.viewer.add_layer(known_layer(96, 128, name="other"))
    worse = MICROSCOPE.model_copy(update={"numerical_aperture": 1.0})
    Made.of(bench.viewer).keep_blur(other, ndb.ideal_blur(worse))
    bench.controller.choose(0, bench.layer.unique_id)
    bench.controller.choose(1, other.unique_id)
    assert -15 < bench.shown.difference_db < -1
    first, second = bench.shown.blurs
    assert second.width_um == pytest.approx(1.4 * first.width_um, rel=0.03)
    bench.controller.choose(1, None)
    assert len(bench.shown.blurs) == 1


def test_the_psf_of_a_calibration_follows_the_mouse(bench: Bench) -> None:
    result = calibration()
    Made.of(bench.viewer).keep(result)
    assert bench.names == ["calibration: time 0", "calibration: time 1"]
    assert bench.shown.blurs[0].where == "field's centre"
    bench.viewer.mouse_over_canvas = True
    bench.viewer.cursor.position = (10 * 0.09, 100 * 0.09)
    (shown,) = bench.shown.blurs
    assert shown.where == "y 10, x 100"
    np.testing.assert_array_equal(shown.psf.psf, result.psf((10, 100)))
    bench.controller.choose(0, ("calibration", 1))
    np.testing.assert_array_equal(bench.shown.blurs[0].psf.psf, result.psf((10, 100), 1))


def in_3d(gamma) -> ndb.VolumeBlurEstimate:
    return ndb.VolumeBlurEstimate(gamma[None], np.zeros((1, len(gamma))), KNOWN)


def test_a_blur_in_3d_has_a_profile_along_z_and_no_difference_to_a_plane(bench: Bench) -> None:
    bench.keep_blur(in_3d(GAMMA))
    Made.of(bench.viewer).keep(calibration())
    bench.controller.choose(1, ("calibration", 0))
    assert bench.shown.blurs[0].figures.profile_z is not None
    assert bench.shown.difference is None
    assert "Choose two of a kind" in bench.shown.refusal


def test_two_blurs_in_3d_are_compared(bench: Bench) -> None:
    bench.keep_blur(in_3d(GAMMA))
    other = bench.viewer.add_layer(known_layer(96, 128, name="other"))
    Made.of(bench.viewer).keep_blur(other, in_3d(0 * GAMMA))
    bench.controller.choose(0, bench.layer.unique_id)
    bench.controller.choose(1, other.unique_id)
    first, second = (blur.psf.psf for blur in bench.shown.blurs)
    difference = np.square(first - second).sum() / np.square(first).sum()
    assert bench.shown.difference_db == pytest.approx(10 * np.log10(difference), abs=0.01)
    assert bench.shown.difference.psf.shape == first.shape
    assert bench.shown.difference.z_step_um == KNOWN.z_step_um
    assert not bench.shown.refusal


def test_a_closed_inspector_listens_no_more(bench: Bench) -> None:
    bench.controller.close()
    n_calls = bench.view.show_comparison.call_count
    bench.keep_blur(ndb.ideal_blur(MICROSCOPE))
    bench.viewer.layers.remove(bench.layer)
    assert bench.view.show_comparison.call_count == n_calls


def test_the_dock_shows_pictures_and_curves(viewer, qtbot, tmp_path) -> None:
    layer = viewer.add_layer(known_layer(96, 128))
    dock = InspectorDock(viewer)
    viewer.window.add_dock_widget(dock, name="PSF inspector")
    assert "No blur yet" in dock.words.text()
    ndb.ideal_blur(MICROSCOPE).save(tmp_path / "ideal.json")
    dock.controller.open(0, tmp_path / "ideal.json")
    qtbot.waitUntil(lambda: not dock.controller.busy, timeout=60_000)
    assert "ideal.json" in dock.words.text()
    assert dock.pictures[0].value().psf.sum() == pytest.approx(1, abs=1e-4)
    assert dock.pictures[1].isHidden()
    assert len(dock.plots["transfer"].value()) == 1
    assert dock.plots["profile_z"].isHidden()
    assert layer in viewer.layers
    dock.controller.choose(1, dock.boxes[0].value())
    assert "Difference: none" in dock.words.text()
