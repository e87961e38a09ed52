"""3-D blurs in the dock of a real viewer: chosen, shown while they are read, and taken out."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from napari.layers import Image

from helpers.layers import OPTICS, assert_same_geometry, estimated_in_3d, known_layer, spots
from napari_deepblur.engine.volume.estimate import PsfProgress
from napari_deepblur.widgets.deblur.dock import DeblurDock

TIMEOUT = 120_000


@pytest.fixture
def dock(viewer):
    dock = DeblurDock(viewer)
    viewer.window.add_dock_widget(dock, name="Deep-Blur")
    return dock


@pytest.fixture
def may_end(monkeypatch):
    """An estimate that has shown a PSF, and ends when it may."""
    may_end, found = threading.Event(), estimated_in_3d(concerns=((),))

    def job(image, **given):
        assert (given["z_step_um"], given["axes"]) == (0.5, "ZYX")
        for step in range(400):
            yield PsfProgress(step, 400, "estimating the PSF", found.psfs[0])
            if may_end.wait(0.05):
                break
        return found.blur

    monkeypatch.setattr("napari_deepblur.engine.restore.estimate_volume_blur_job", job)
    yield may_end
    may_end.set()


def finish(qtbot, dock: DeblurDock) -> None:
    qtbot.waitUntil(lambda: not dock.controller.busy, timeout=TIMEOUT)


def test_a_choice_is_there_for_stacks_only(viewer, dock: DeblurDock) -> None:
    viewer.add_layer(known_layer(64, 64, name="plane"))
    box, form = dock.psf.per_box, dock.image.optics_form
    assert box.choices() == ["plane", "stack"]
    assert form.field("z_step_um").isHidden()
    viewer.add_layer(known_layer(8, 64, 64, name="stack"))
    dock.image.layer_box.valueChanged.emit(viewer.layers["stack"])
    assert box.choices() == ["plane", "stack", "volume"]
    assert (box.value(), box.currentText()) == ("volume", "one 3-D blur")
    assert form.value()["z_step_um"] == 0.5
    assert dock.psf.model_box.isHidden()
    assert dock.deblur.device_box.isHidden()
    assert not dock.psf.proposed.isHidden()
    box.valueChanged.emit("plane")
    assert dock.psf.proposed.isHidden()
    assert not dock.deblur.device_box.isHidden()
    assert not dock.psf.model_box.isHidden()
    assert form.field("light_sheet_fwhm_um").isHidden()
    assert not form.field("z_step_um").isHidden()


def test_the_z_step_is_typed_where_the_layer_does_not_state_it(viewer, dock: DeblurDock) -> None:
    viewer.add_layer(Image(spots(8, 64, 64), name="plain"))
    for name, value in OPTICS.items():
        setattr(dock.controller.settings, name, value)
    assert dock.psf.per_box.value() == "plane"
    dock.psf.per_box.valueChanged.emit("volume")
    assert "fill in: z step" in dock.image.verdict.text()
    assert not dock.run_bar.estimate.isEnabled()
    for text, can_run in (("0", False), ("-0.2", False), ("250 nm", True)):
        edit = dock.image.optics_form.field("z_step_um")
        edit.setText(text)
        edit.editingFinished.emit()
        assert dock.run_bar.estimate.isEnabled() == can_run
        assert ("must be above 0" in dock.image.verdict.text()) != can_run
    assert dock.controller.resolved.z_step_um == 0.25


def test_the_psf_is_drawn_while_it_is_read(viewer, dock: DeblurDock, qtbot, may_end) -> None:
    viewer.add_layer(known_layer(8, 64, 64))
    panel = dock.psf.blur_panel
    dock.run_bar.estimate.click()
    qtbot.waitUntil(panel.is_running, timeout=TIMEOUT)
    assert not panel.picture.isHidden()
    drawn = panel.picture.value()
    assert (drawn.psf.ndim, drawn.pixel_size_um, drawn.z_step_um) == (3, 0.09, 0.5)
    assert not dock.sections["Image"].isOpen()
    # The slider does not take it away.
    viewer.dims.set_current_step(0, 3)
    assert not panel.picture.isHidden()
    assert panel.bars.isHidden()
    may_end.set()
    finish(qtbot, dock)
    assert not panel.is_running()
    assert not panel.unaberrated.isHidden()
    assert len(panel.bars.value().names) == 12
    assert "µm deep" in panel.figures.text()


def test_a_cancelled_estimate_leaves_what_was_known(
    viewer, dock: DeblurDock, qtbot, may_end
) -> None:
    viewer.add_layer(known_layer(8, 64, 64))
    panel = dock.psf.blur_panel
    for known in (False, True):
        dock.run_bar.estimate.click()
        qtbot.waitUntil(panel.is_running, timeout=TIMEOUT)
        dock.run_bar.cancel.click()
        assert not dock.controller.busy
        assert not panel.is_running()
        assert (panel.value() is not None) == known
        assert panel.picture.isHidden() != known
        if not known:
            may_end.set()
            dock.run_bar.estimate.click()
            finish(qtbot, dock)
            may_end.clear()


def test_from_a_stack_to_the_deblurred_stack_and_by_file_to_another(
    viewer, dock: DeblurDock, qtbot, may_end, tmp_path
) -> None:
    may_end.set()
    source = viewer.add_layer(known_layer(8, 64, 64))
    before = source.data.copy()
    dock.run_bar.deblur.click()
    finish(qtbot, dock)
    assert [layer.name for layer in viewer.layers] == [
        "cells",
        "PSF (cells)",
        "deblurred, 3-D PSF (cells)",
    ]
    sharp = viewer.layers["deblurred, 3-D PSF (cells)"]
    assert_same_geometry(sharp, source)
    assert sharp.data.shape == source.data.shape
    assert sharp.data.sum() == pytest.approx(before.sum(), rel=0.01)
    np.testing.assert_array_equal(source.data, before)
    np.testing.assert_allclose(viewer.layers["PSF (cells)"].scale, source.scale)
    dock.controller.psf.save(tmp_path / "blur.json")
    viewer.layers.clear()
    viewer.add_layer(known_layer(9, 64, 64, name="again"))
    dock.controller.psf.load(tmp_path / "blur.json")
    finish(qtbot, dock)
    assert dock.psf.per_box.value() == "volume"
    assert "from blur.json" in dock.message.text()
    dock.run_bar.deblur.click()
    finish(qtbot, dock)
    assert viewer.layers["deblurred, PSF of cells (again)"].data.shape == (9, 64, 64)
