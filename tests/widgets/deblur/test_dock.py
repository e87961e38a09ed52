"""The dock in a real viewer, from a layer to the deblurred layer."""

from __future__ import annotations

import subprocess
import sys

import dask.array
import numpy as np
import pytest
from napari.layers import Image
from napari.utils.notifications import notification_manager
from npe2 import PluginManifest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QWidget

from helpers.layers import (
    GEOMETRY,
    OPTICS,
    assert_same_geometry,
    estimated,
    known_layer,
    spots,
)
from napari_deepblur.engine.events import Progress
from napari_deepblur.engine.models import DEFAULT_MODEL
from napari_deepblur.widgets.deblur.dock import DeblurDock
from napari_deepblur.widgets.deblur.estimates import blur_table
from napari_deepblur.widgets.parts.tone import Tone

TIMEOUT = 120_000


@pytest.fixture
def dock(viewer, tiny_model):
    dock = DeblurDock(viewer)
    viewer.window.add_dock_widget(dock, name="Deep-Blur")
    dock.controller.settings.device = "cpu"
    dock.controller.psf.choose_model(tiny_model)
    return dock


def finish(qtbot, dock: DeblurDock) -> None:
    qtbot.waitUntil(lambda: not dock.controller.busy, timeout=TIMEOUT)


def names(viewer) -> list[str]:
    return [layer.name for layer in viewer.layers]


def test_the_dock_opens_without_torch() -> None:
    code = (
        "import sys, napari;"
        "from napari_deepblur.widgets.deblur.dock import DeblurDock;"
        "from qtpy.QtWidgets import QApplication;"
        "app = QApplication([]);"
        "dock = DeblurDock(napari.components.ViewerModel());"
        "heavy = {'torch', 'monai', 'safetensors'} & set(sys.modules);"
        "sys.exit(f'{heavy} were imported' if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr


def test_estimate_then_deblur(viewer, dock: DeblurDock, qtbot) -> None:
    source = known_layer(2, 96, 128, **GEOMETRY)
    before = source.data.copy()
    viewer.add_layer(source)
    assert dock.image.layer_box.value() == source
    dock.run_bar.estimate.click()
    assert not dock.run_bar.estimate.isEnabled()
    finish(qtbot, dock)
    assert "Estimated the blur" in dock.message.text()
    assert len(dock.psf.blur_panel.bars.value().names) == 7
    assert names(viewer) == ["cells", "PSF (cells)"]
    psf = viewer.layers["PSF (cells)"]
    assert psf.data.shape[0] == 2
    np.testing.assert_allclose(psf.data.sum(axis=(-2, -1)), 1, rtol=1e-5)

    dock.run_bar.deblur.click()
    finish(qtbot, dock)
    assert names(viewer) == ["cells", "PSF (cells)", "deblurred (cells)"]
    sharp = viewer.layers["deblurred (cells)"]
    assert_same_geometry(sharp, source)
    assert sharp.data.shape == source.data.shape
    assert sharp.data.dtype == np.float32
    assert np.isfinite(sharp.data).all()
    np.testing.assert_array_equal(source.data, before)
    assert "residual" in dock.message.text()
    assert not dock.deblur.check_panel.isHidden()
    assert dock.deblur.check_panel.value().n_planes == 2


def test_a_residual_layer_on_demand(viewer, dock: DeblurDock, qtbot) -> None:
    source = known_layer(2, 96, 128, **GEOMETRY)
    viewer.add_layer(source)
    assert dock.deblur.check_panel.isHidden()
    assert not dock.deblur.residual.isChecked()
    assert dock.deblur.colours.isHidden()
    dock.deblur.residual.click()
    assert "green is light that the deblurred image misses" in dock.deblur.colours.text()
    assert not dock.deblur.colours.isHidden()
    dock.run_bar.deblur.click()
    finish(qtbot, dock)
    assert names(viewer) == ["cells", "PSF (cells)", "residual (cells)", "deblurred (cells)"]
    residual, sharp = viewer.layers["residual (cells)"], viewer.layers["deblurred (cells)"]
    assert_same_geometry(residual, sharp)
    assert residual.data.shape == sharp.data.shape
    shown = dock.deblur.check_panel.value()
    # The number is that of the layer's inside.
    inside = residual.data[0][..., 15:-15, 15:-15]
    assert np.sqrt(np.square(inside).mean()) == pytest.approx(shown.residual[0], rel=0.05)
    assert viewer.layers.selection.active.name == "deblurred (cells)"


def test_a_click_on_the_curve_moves_the_slider_and_back(viewer, dock: DeblurDock, qtbot) -> None:
    viewer.add_layer(known_layer(3, 96, 96))
    dock.run_bar.estimate.click()
    finish(qtbot, dock)
    curve = dock.psf.blur_panel.curve
    assert len(curve.value().values) == 3
    curve.choose_near(1.9)
    assert viewer.dims.current_step[0] == 2
    assert dock.psf.blur_panel.value().plane == 2
    viewer.dims.set_current_step(0, 1)
    assert curve.plane() == 1


def test_deblur_alone_estimates_first(viewer, dock: DeblurDock, qtbot) -> None:
    dock.controller.settings.model = DEFAULT_MODEL
    viewer.add_layer(known_layer(96, 96))
    dock.run_bar.deblur.click()
    finish(qtbot, dock)
    assert names(viewer) == ["cells", "PSF (cells)", "deblurred (cells)"]
    assert dock.psf.blur_panel.value() is not None


def test_one_blur_for_a_lazy_stack(viewer, dock: DeblurDock, qtbot) -> None:
    data = dask.array.from_array(spots(3, 96, 96), chunks=(1, 96, 96))
    viewer.add_layer(
        Image(
            data,
            name="lazy",
            scale=(1, 0.09, 0.09),
            units=("um",) * 3,
            contrast_limits=(0, 1000),
            metadata={"deepblur": {"optics": OPTICS}},
        )
    )
    dock.controller.settings.per = "stack"
    dock.run_bar.deblur.click()
    finish(qtbot, dock)
    assert viewer.layers["PSF (lazy)"].data.shape[0] == 3
    assert viewer.layers["deblurred, one PSF (lazy)"].data.shape == (3, 96, 96)
    own = viewer.layers["deblurred, one PSF (lazy)"].metadata["deepblur"]
    assert np.shape(own["coefficients"]) == (1, 7)
    assert len(own["concerns"]) == len(own["in_domain"]) == 1


def test_multiscale_is_deblurred_at_full_resolution(viewer, dock: DeblurDock, qtbot) -> None:
    image = spots(128, 128)
    viewer.add_layer(
        Image(
            [image, image[::2, ::2]],
            multiscale=True,
            name="pyramid",
            scale=(0.09, 0.09),
            units=("um", "um"),
            metadata={"deepblur": {"optics": OPTICS}},
        )
    )
    dock.run_bar.deblur.click()
    finish(qtbot, dock)
    sharp = viewer.layers["deblurred (pyramid)"]
    assert sharp.data.shape == (128, 128)
    np.testing.assert_allclose(sharp.scale, (0.09, 0.09))


def test_what_is_missing_is_asked_for_and_can_be_typed(viewer, dock: DeblurDock, qtbot) -> None:
    viewer.add_layer(Image(spots(96, 96), name="plain"))
    assert not dock.run_bar.estimate.isEnabled()
    assert "pixel size" in dock.image.verdict.text()
    assert dock.image.optics_form.value() == {"refractive_index": 1.518}
    for name, value in OPTICS.items():
        assert not dock.run_bar.estimate.isEnabled()
        edit = dock.image.optics_form.field(name)
        edit.setText(str(value))
        edit.editingFinished.emit()
    assert dock.image.verdict.text().startswith("✓")
    assert dock.run_bar.estimate.isEnabled()
    assert dock.controller.resolved.optics.model_dump() == OPTICS


def test_a_bare_scale_is_taken_by_a_click(viewer, dock: DeblurDock) -> None:
    layer = viewer.add_layer(Image(spots(64, 64), scale=(0.09, 0.09), name="plain"))
    button = dock.image.optics_form.accept_scale
    assert not button.isHidden()
    assert "0.09" in button.text()
    button.click()
    assert button.isHidden()
    assert [str(unit) for unit in layer.units] == ["micrometer", "micrometer"]
    assert dock.image.optics_form.value()["pixel_size_um"] == 0.09


def test_a_focus_series_can_be_ticked_where_the_z_step_is_known(viewer, dock: DeblurDock) -> None:
    viewer.add_layer(known_layer(96, 96, name="plane"))
    assert dock.psf.focus_box.isHidden()
    viewer.add_layer(known_layer(3, 96, 96, name="series"))
    dock.image.layer_box.valueChanged.emit(viewer.layers["series"])
    assert not dock.psf.focus_box.isHidden()
    assert not dock.psf.focus_box.isChecked()
    assert "0.5 µm" in dock.psf.focus_box.toolTip()
    dock.psf.focus_box.click()
    assert dock.controller.resolved.z_step_um == 0.5
    assert dock.psf.focus_box.isChecked()
    dock.controller.settings.per = "stack"
    assert dock.psf.focus_box.isHidden()
    dock.controller.settings.per = "plane"
    dock.image.layer_box.valueChanged.emit(viewer.layers["plane"])
    assert dock.psf.focus_box.isHidden()
    dock.image.layer_box.valueChanged.emit(viewer.layers["series"])
    assert dock.psf.focus_box.isChecked()


def test_the_focus_series_reaches_the_engine(
    viewer, dock: DeblurDock, qtbot, monkeypatch, tiny_model
) -> None:
    asked = {}

    def job(image, **given):
        asked.update(given)
        yield Progress(0, 1, "estimating the blur")
        return estimated(3, model=str(tiny_model)).blur

    monkeypatch.setattr("napari_deepblur.engine.restore.estimate_blur_job", job)
    viewer.add_layer(known_layer(3, 96, 96))
    dock.psf.focus_box.click()
    dock.run_bar.estimate.click()
    finish(qtbot, dock)
    assert asked["z_step_um"] == 0.5
    assert "stays unknown" in dock.message.text()


def test_colour_is_refused(viewer, dock: DeblurDock) -> None:
    viewer.add_image(np.zeros((64, 64, 3), np.uint8), rgb=True)
    assert "RGB" in dock.image.verdict.text()
    assert not dock.run_bar.deblur.isEnabled()


def test_cancelled_work_adds_nothing(viewer, dock: DeblurDock, qtbot) -> None:
    viewer.add_layer(known_layer(200, 64, 64))
    dock.run_bar.deblur.click()
    qtbot.waitUntil(lambda: dock.run_bar.value()[0] > 1, timeout=TIMEOUT)
    dock.run_bar.cancel.click()
    # At once: nothing is waited for.
    assert not dock.controller.busy
    qtbot.wait(300)
    assert names(viewer) == ["cells"]
    assert dock.message.text() == "Cancelled."


def test_an_error_is_told_once_and_the_next_click_works(
    viewer, dock: DeblurDock, qtbot, monkeypatch
) -> None:
    def full(*arguments):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    told = []
    show = dock.show_message

    def tell(*said, **more):
        told.append(said)
        show(*said, **more)

    monkeypatch.setattr(dock, "show_message", tell)
    notification_manager.records.clear()
    viewer.add_layer(known_layer(96, 96))
    with monkeypatch.context() as patch:
        patch.setattr("napari_deepblur.engine.plane_features.resample", full)
        dock.run_bar.estimate.click()
        finish(qtbot, dock)
    (text,) = [text for tone, text in told if tone is Tone.ERROR]
    assert "out of memory" in text
    assert text in dock.message.text()
    # A message in the dock is the one notification; napari's bubbles do not repeat it.
    assert not notification_manager.records
    dock.run_bar.estimate.click()
    finish(qtbot, dock)
    assert "Estimated the blur" in dock.message.text()
    assert names(viewer) == ["cells", "PSF (cells)"]


def test_bad_pixels_are_told(viewer, dock: DeblurDock, qtbot) -> None:
    image = spots(96, 96).astype(float)
    image[3, 4] = np.nan
    layer = known_layer(96, 96)
    layer.data = image
    viewer.add_layer(layer)
    dock.run_bar.estimate.click()
    finish(qtbot, dock)
    assert "NaN" in dock.psf.blur_panel.notice.text() + dock.message.text()


def test_pixels_too_coarse_for_any_blur_are_told_in_one_sentence(viewer, dock: DeblurDock) -> None:
    viewer.add_layer(known_layer(96, 96, scale=(0.5, 0.5)))
    text = dock.image.verdict.text()
    assert text.startswith("✗ A pixel of 0.5 µm is larger than the blur")
    assert text.count(".") - text.count("0.") == 1
    assert "check pixel size and wavelength, or use pixels below" in text


def test_the_tooltip_of_the_preview_is_of_what_it_would_show(viewer, dock: DeblurDock) -> None:
    viewer.add_layer(known_layer(8, 64, 64))
    dock.controller.settings.per = "volume"
    assert "160 × 160" in dock.run_bar.preview.toolTip()
    dock.controller.settings.per = "plane"
    assert "512 × 512" in dock.run_bar.preview.toolTip()


def test_an_undersampled_image_is_warned_of(viewer, dock: DeblurDock, qtbot) -> None:
    viewer.add_layer(known_layer(96, 96, scale=(0.13, 0.13)))
    assert dock.image.verdict.text().startswith("⚠")
    dock.run_bar.estimate.click()
    finish(qtbot, dock)
    assert dock.message.text().startswith("⚠")
    # The section Image says it, and no task repeats it.
    assert "Undersampled: pixels of up to 0.11 µm" in dock.image.verdict.text()
    assert "undersampled" not in dock.message.text()
    assert "Undersampled" in dock.psf.blur_panel.notice.details.text()


def test_save_and_load(viewer, dock: DeblurDock, qtbot, tmp_path) -> None:
    path = tmp_path / "blur.json"
    first = viewer.add_layer(known_layer(96, 96))
    dock.run_bar.estimate.click()
    finish(qtbot, dock)
    shown = dock.psf.blur_panel.value()
    dock.controller.psf.save(path)
    viewer.layers.remove(first)
    viewer.add_layer(known_layer(96, 96, name="again"))
    dock.controller.psf.load(path)
    finish(qtbot, dock)
    np.testing.assert_allclose(
        dock.psf.blur_panel.value().coefficients, shown.coefficients, atol=1e-6
    )
    assert "PSF (again)" in names(viewer)
    path.write_text("{}")
    dock.controller.psf.load(path)
    finish(qtbot, dock)
    assert "is not a blur file" in dock.message.text()


def test_the_manifest_is_valid_and_its_commands_exist() -> None:
    manifest = PluginManifest.from_distribution("napari-deepblur")
    manifest.validate_imports()
    assert manifest.display_name == "Deep-Blur"
    menus = {f"napari/layers/{menu}" for menu in ("filter", "measure", "visualize")}
    assert set(manifest.contributions.menus) == menus


def test_names_that_look_like_html_are_shown_as_they_are(viewer, dock: DeblurDock) -> None:
    name = "<h1>big</h1>"
    viewer.add_layer(Image(np.zeros((64, 64, 3), np.uint8), rgb=True, name=name))
    dock.show_message(Tone.ERROR, f"{name!r} is odd")
    dock.show_blur(blur_table(known_layer(64, 64, name=name), estimated(), 0, None))
    shown = [label for label in dock.findChildren(QLabel) if name in label.text()]
    assert {dock.image.verdict, dock.message.headline} <= set(shown)
    assert len(shown) == 4
    assert all(label.textFormat() == Qt.TextFormat.PlainText for label in shown)
    for widget in dock.findChildren(QWidget):
        assert name not in widget.toolTip()
