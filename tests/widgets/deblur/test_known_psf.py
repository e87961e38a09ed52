"""Known PSFs in the dock: ideal, a PSF image, a calibration; without Qt but for the last."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from napari.layers import Image

import napari_deepblur as ndb
from helpers.bench import Bench
from helpers.calibrations import bead_table, calibrated
from helpers.layers import OPTICS, estimated, known_layer
from napari_deepblur.engine.events import finish
from napari_deepblur.io import write_image
from napari_deepblur.widgets.deblur.dock import DeblurDock
from napari_deepblur.widgets.deblur.known_wish import MADE
from napari_deepblur.widgets.made import Made
from napari_deepblur.widgets.parts.tone import Tone
from napari_deepblur.widgets.tasks.task import Done

MICROSCOPE = ndb.Optics(**OPTICS)


def bead() -> np.ndarray:
    """Counts of a bead at pixels of 0.05 µm."""
    optics = MICROSCOPE.model_copy(update={"pixel_size_um": 0.05})
    return (20 + 1e4 * ndb.ideal_blur(optics).psf()).astype(np.float32)


def calibration(shape=(115, 115)):
    result = calibrated([bead_table(), bead_table(1)], shape).result
    beads = result.beads.assign(peak=900.0, background=100.0, residual_db=-20.0)
    return replace(result, beads=beads, pixel_size_um=0.1)


@pytest.fixture
def bench(layer: Image) -> Bench:
    bench = Bench(layer)
    bench.controller.settings.device = "cpu"
    return bench


def show_psf(bench: Bench):
    """Run what a click on the first button starts, and return what is shown of it."""
    bench.controller.psf.estimate()
    bench.runner.on_end(Done(finish(bench.runner.started[-1])))
    return bench.view.show_blur.call_args.args[0]


def test_ideal_shows_the_psf_without_coefficients(bench: Bench) -> None:
    bench.controller.settings.psf_source = "ideal"
    table = show_psf(bench)
    assert (table.known, table.outdated) == ("ideal PSF", "")
    np.testing.assert_allclose(table.psf.psf, ndb.ideal_blur(MICROSCOPE).psf(), atol=1e-6)
    assert table.quality.strehl[0] == pytest.approx(1, abs=1e-3)
    assert bench.message == (Tone.GOOD, "The blur of 'cells' is known: ideal PSF.")
    assert bench.names == ["cells", "PSF (cells)"]


def test_an_estimate_is_there_again_after_the_ideal_psf(bench: Bench) -> None:
    bench.controller.psf.estimate()
    found = estimated()
    bench.runner.on_end(Done(found))
    bench.controller.settings.psf_source = "ideal"
    show_psf(bench)
    n_started = len(bench.runner.started)
    bench.controller.settings.psf_source = "estimate"
    table = bench.view.show_blur.call_args.args[0]
    assert (table.known, table.outdated) == ("", "")
    np.testing.assert_array_equal(table.coefficients, found.blur.coefficients[0])
    np.testing.assert_array_equal(bench.viewer.layers["PSF (cells)"].data, found.psfs[0])
    assert len(bench.runner.started) == n_started


def test_an_estimate_of_other_settings_is_not_put_back(bench: Bench) -> None:
    bench.controller.psf.estimate()
    bench.runner.on_end(Done(estimated()))
    bench.controller.settings.psf_source = "ideal"
    show_psf(bench)
    bench.controller.settings.numerical_aperture = 1.2
    bench.controller.settings.psf_source = "estimate"
    assert bench.view.show_blur.call_args.args[0].known == "ideal PSF"


def test_deblur_uses_the_known_psf(bench: Bench) -> None:
    bench.controller.settings.psf_source = "ideal"
    bench.controller.sharp.deblur()
    result = finish(bench.runner.started[-1])
    bench.runner.on_end(Done(result))
    image = bench.controller.layer.data
    expected = ndb.deblur(image, ndb.ideal_blur(MICROSCOPE), device="cpu")
    np.testing.assert_array_equal(
        bench.viewer.layers["deblurred, ideal PSF (cells)"].data, expected
    )


def test_another_source_marks_what_is_shown(bench: Bench) -> None:
    bench.controller.settings.psf_source = "ideal"
    show_psf(bench)
    bench.controller.settings.psf_source = "estimate"
    assert "ideal PSF" in bench.view.show_blur.call_args.args[0].outdated
    bench.controller.settings.psf_source = "ideal"
    assert not bench.view.show_blur.call_args.args[0].outdated


def test_a_layer_is_asked_for_its_pixel_size(bench: Bench) -> None:
    settings = bench.controller.settings
    psf = beside(bench, bead(), name="bead")
    settings.psf_source = "psf"
    assert not bench.resolved.can_run
    assert "Choose the PSF image" in bench.resolved.known.ask
    assert bench.resolved.known.images == (("bead", psf.unique_id),)
    settings.psf_image = psf.unique_id
    bench.controller.psf.estimate()
    assert bench.message == (Tone.ERROR, "Type the pixel size of the PSF image.")
    settings.psf_pixel_size_um = 0.05
    table = show_psf(bench)
    assert table.known == "bead, pixels of 0.05 µm"
    difference = np.abs(table.psf.psf - ndb.blur_from_psf(bead(), 0.05, optics=MICROSCOPE).psf())
    assert difference.max() == 0


def test_a_layer_that_states_its_pixel_size_is_not_asked(bench: Bench) -> None:
    psf = beside(bench, bead(), scale=(0.05, 0.05), units=("um", "um"))
    bench.controller.settings.update({"psf_source": "psf", "psf_image": psf.unique_id})
    assert bench.resolved.known.pixel_size_um == pytest.approx(0.05)
    assert bench.resolved.can_run


def test_a_removed_layer_is_no_choice_any_more(bench: Bench) -> None:
    psf = beside(bench, bead(), scale=(0.05, 0.05), units=("um", "um"))
    bench.controller.settings.update({"psf_source": "psf", "psf_image": psf.unique_id})
    bench.viewer.layers.remove(psf)
    assert "Choose the PSF image" in bench.resolved.known.ask


def test_a_file_says_its_pixel_size(bench: Bench, tmp_path) -> None:
    write_image(tmp_path / "bead.tif", bead(), "YX", pixel_size_um=0.05)
    path = tmp_path / "bead.tif"
    bench.controller.settings.update({"psf_source": "psf", "psf_image": path})
    assert bench.resolved.known.pixel_size_um == pytest.approx(0.05)
    assert "bead.tif" in show_psf(bench).known


def test_a_calibration_that_was_just_made_is_offered(bench: Bench) -> None:
    settings = bench.controller.settings
    settings.psf_source = "calibration"
    assert "Choose the folder" in bench.resolved.known.ask
    result = calibration()
    Made.of(bench.viewer).keep(result)
    assert bench.resolved.known.calibration == MADE
    assert bench.resolved.known.acquisitions == ("time 0", "time 1")
    settings.acquisition = 1
    table = show_psf(bench)
    assert table.known == "calibration, acquisition 1"
    assert table.over_field is not None
    assert bench.names == ["cells", "eigen-PSFs (cells)", "PSF field (cells)"]


def test_a_saved_calibration_is_used(bench: Bench, tmp_path) -> None:
    calibration().save(tmp_path / "beads")
    bench.controller.settings.psf_source = "calibration"
    bench.controller.psf.choose_calibration(tmp_path)
    assert bench.message[0] is Tone.ERROR
    bench.controller.psf.choose_calibration(tmp_path / "beads")
    assert bench.resolved.known.calibrations == (("beads", tmp_path / "beads"),)
    assert show_psf(bench).known == "beads, acquisition 0"


def test_a_saved_known_psf_is_loaded_and_used(bench: Bench, tmp_path) -> None:
    bench.controller.settings.psf_source = "ideal"
    show_psf(bench)
    bench.controller.psf.save(tmp_path / "ideal.json")
    bench.controller.settings.psf_source = "estimate"
    bench.controller.psf.load(tmp_path / "ideal.json")
    bench.runner.on_end(Done(finish(bench.runner.started[-1])))
    table = bench.view.show_blur.call_args.args[0]
    assert (table.known, table.outdated) == ("ideal PSF", "")


def test_the_form_asks_for_what_is_missing(viewer, qtbot) -> None:
    viewer.add_layer(known_layer(96, 96))
    viewer.add_image(bead(), name="bead")
    dock = DeblurDock(viewer)
    viewer.window.add_dock_widget(dock, name="Deep-Blur")
    dock.controller.select(viewer.layers["cells"])
    dock.controller.settings.device = "cpu"
    form = dock.psf.source_form
    assert dock.run_bar.estimate.text() == "Estimate PSF"
    form.source_box.setCurrentIndex(form.source_box.choices().index("psf"))
    form.source_box.activated.emit(form.source_box.currentIndex())
    assert dock.run_bar.estimate.text() == "Show PSF"
    assert not dock.run_bar.estimate.isEnabled()
    assert "Choose the PSF image" in form.ask.text()
    assert not form.image_box.isHidden()
    form.image_box.activated.emit(0)
    assert "Type the pixel size" in form.ask.text()
    form.size_edit.setText("50 nm")
    form.size_edit.editingFinished.emit()
    assert dock.run_bar.estimate.isEnabled()
    dock.run_bar.estimate.click()
    qtbot.waitUntil(lambda: not dock.controller.busy, timeout=60_000)
    assert "bead" in dock.sections["PSF"].summary.text()
    assert dock.psf.blur_panel.bars.value() is None
    assert viewer.layers["PSF (cells)"].data.sum() == pytest.approx(1, abs=1e-4)


def test_a_chosen_psf_goes_before_one_from_a_file(bench: Bench, tmp_path) -> None:
    ndb.ideal_blur(MICROSCOPE).save(tmp_path / "saved.json")
    bench.controller.settings.psf_source = "calibration"
    bench.controller.psf.load(tmp_path / "saved.json")
    bench.runner.on_end(Done(finish(bench.runner.started[-1])))
    assert bench.controller.settings.psf_source == "estimate"
    assert not table_of(bench).outdated
    bench.controller.settings.psf_source = "ideal"
    assert table_of(bench).outdated == "saved.json"


def test_the_heading_names_the_psf_that_deblur_takes(viewer) -> None:
    layer = viewer.add_layer(known_layer(96, 96))
    dock = DeblurDock(viewer)
    heading, panel = dock.sections["PSF"].summary, dock.psf.blur_panel
    assert heading.text() == "not estimated yet"
    list(dock.controller._work.keep(layer, estimated(concerns=(("saturated: x",),))))
    assert heading.text() == "in doubt"
    assert not panel.notice.isHidden()
    dock.controller.settings.psf_source = "ideal"
    assert heading.text() == "ideal PSF"
    assert panel.notice.isHidden()
    assert "Deblur takes the ideal PSF" in panel.outdated.text()
    dock.controller.settings.update({"psf_source": "estimate", "numerical_aperture": 1.2})
    assert heading.text() == "to be estimated anew"
    assert "Deblur estimates the PSF anew" in panel.outdated.text()
    dock.controller.close()


# In 3-D


def beside(bench: Bench, pixels: np.ndarray, **arguments) -> Image:
    """A layer that comes while the dock stays with its image."""
    image = bench.controller.layer
    added = bench.viewer.add_image(pixels, **arguments)
    bench.controller.select(image)
    return added


def stack(**changes) -> Image:
    return known_layer(8, 64, 64, **changes)


def bead_stack(depth: int = 21) -> np.ndarray:
    """Counts of a bead in voxels of 0.3 × 0.1 × 0.1 µm."""
    optics = MICROSCOPE.model_copy(update={"pixel_size_um": 0.1})
    blur = ndb.ideal_blur(optics, per="volume", z_step_um=0.3)
    return (20 + 1e5 * blur.psf_3d((depth, 49, 49))).astype(np.float32)


def test_of_a_stack_the_ideal_psf_is_3d() -> None:
    bench = Bench(stack())
    bench.controller.settings.psf_source = "ideal"
    assert (bench.resolved.scopes, bench.resolved.per) == (("stack", "volume"), "volume")
    table = show_psf(bench)
    assert (table.known, table.outdated) == ("ideal 3-D PSF", "")
    assert table.psf.psf.shape == (31, 49, 49)
    assert table.quality.strehl[0] == pytest.approx(1)
    bench.controller.settings.z_step_um = 0.4
    assert table_of(bench).outdated == "z step 0.5 µm"
    bench.controller.settings.update({"z_step_um": None, "per": "plane"})
    assert bench.resolved.per == "stack"
    assert table_of(bench).outdated == "one 3-D blur of the stack"
    assert show_psf(bench).known == "ideal PSF"


def table_of(bench: Bench):
    return bench.view.show_blur.call_args.args[0]


def test_deblur_takes_the_ideal_3d_psf_out() -> None:
    bench = Bench(stack())
    bench.controller.settings.psf_source = "ideal"
    bench.controller.sharp.deblur()
    bench.runner.on_end(Done(finish(bench.runner.started[-1])))
    ideal = ndb.ideal_blur(MICROSCOPE, per="volume", z_step_um=0.5)
    expected = ndb.deblur(bench.controller.layer.data, ideal)
    np.testing.assert_allclose(
        bench.viewer.layers["deblurred, ideal 3-D PSF (cells)"].data, expected, rtol=1e-4
    )


def test_without_a_z_step_it_is_asked_for() -> None:
    bench = Bench(stack(scale=(1, 0.09, 0.09), units=("pixel", "um", "um")))
    bench.controller.settings.psf_source = "ideal"
    assert bench.resolved.per == "stack"
    bench.controller.settings.per = "volume"
    assert "z step" in bench.resolved.message
    assert not bench.resolved.can_run


def test_a_bead_stack_gives_a_3d_psf() -> None:
    bench = Bench(stack())
    psf = beside(bench, bead_stack(), name="bead", scale=(1, 0.1, 0.1), units=("pixel", "um", "um"))
    bench.controller.settings.update({"psf_source": "psf", "psf_image": psf.unique_id})
    assert bench.resolved.known.ask == "Type the z step of the PSF image."
    bench.controller.settings.psf_z_step_um = 0.3
    assert (bench.resolved.per, bench.resolved.known.note) == ("volume", "")
    table = show_psf(bench)
    assert table.known == "bead, voxels of 0.3 × 0.1 µm"
    assert table.z_step_um == 0.5
    assert table.quality.strehl[0] > 0.9


def test_one_plane_or_a_calibration_says_why_there_is_no_3d_psf() -> None:
    bench = Bench(stack())
    psf = beside(bench, bead(), scale=(0.05, 0.05), units=("um", "um"))
    bench.controller.settings.update({"psf_source": "psf", "psf_image": psf.unique_id})
    assert bench.resolved.per == "stack"
    assert "one plane of a PSF does not tell" in bench.resolved.known.note
    assert bench.resolved.can_run
    bench.controller.settings.psf_source = "calibration"
    assert "a calibration does not tell" in bench.resolved.known.note


def test_a_bead_stack_serves_no_single_plane(bench: Bench) -> None:
    psf = beside(bench, bead_stack(), scale=(0.3, 0.1, 0.1), units=("um",) * 3)
    bench.controller.settings.update({"psf_source": "psf", "psf_image": psf.unique_id})
    assert "is a z-stack" in bench.resolved.known.ask


def test_the_dock_offers_the_ideal_psf_of_planes_and_in_3d(viewer) -> None:
    viewer.add_layer(stack())
    dock = DeblurDock(viewer)
    box = dock.psf.per_box
    dock.controller.settings.psf_source = "ideal"
    assert [box.itemText(n) for n in range(box.count())] == ["plane by plane", "in 3-D"]
    assert dock.psf.model_box.isHidden()
    box.valueChanged.emit("stack")
    assert (dock.controller.resolved.per, dock.controller.settings.per) == ("stack", "plane")
    dock.controller.settings.psf_source = "estimate"
    assert box.value() == "plane"
    assert not dock.psf.model_box.isHidden()
    dock.controller.close()
