"""The whole chain as a user clicks through it, in a window on the screen."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from napari.layers import Image
from qtpy.QtCore import Qt

from helpers.layers import assert_same_geometry
from helpers.samples import sample_of
from helpers.windows import napari_window
from napari_deepblur.widgets.deblur.compare.row import FLICK_KEY
from napari_deepblur.widgets.deblur.dock import DeblurDock
from napari_deepblur.widgets.deblur.sections import psf as psf_section

TIMEOUT = 240_000
RED_UM = 0.61


class User:
    """Sits before a window with the dock Deep-Blur, and presses what is in view."""

    def __init__(self, viewer, qtbot) -> None:
        self.viewer, self.qtbot = viewer, qtbot
        self.dock: DeblurDock
        _, self.dock = viewer.window.add_plugin_dock_widget("napari-deepblur", "Deep-Blur")
        self.dock.controller.settings.device = "cpu"

    @property
    def names(self) -> list[str]:
        return [layer.name for layer in self.viewer.layers]

    def press(self, button) -> None:
        """Press a button, and wait for the end of what it starts."""
        self.qtbot.waitUntil(lambda: button.isVisible() and button.isEnabled())
        self.qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        self.qtbot.waitUntil(lambda: not self.dock.controller.busy, timeout=TIMEOUT)
        assert not self.dock.message.text().startswith("✗"), self.dock.message.text()

    def sees(self) -> np.ndarray:
        return self.viewer.screenshot(canvas_only=True, flash=False)


@pytest.fixture
def shown_viewer(qapp):
    with napari_window(show=True) as viewer:
        yield viewer
        viewer.window.remove_dock_widget("all")


@pytest.fixture
def user(shown_viewer, qtbot) -> User:
    return User(shown_viewer, qtbot)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="OpenGL, if only in software")
@pytest.mark.timeout(900)
def test_from_a_sample_to_another_channel(user: User, tmp_path: Path, monkeypatch) -> None:
    viewer, dock, press = user.viewer, user.dock, user.press
    (green,) = viewer.open_sample("napari-deepblur", "podosomes")
    green.affine = [[0, -1, 5], [1, 0, 2], [0, 0, 1]]
    viewer.reset_view()
    assert dock.image.verdict.text().startswith("✓")

    press(dock.run_bar.estimate)
    assert user.names == ["podosomes", "PSF (podosomes)"]
    read = dock.psf.blur_panel.value()
    truth = sample_of("podosomes").coefficients[0]
    assert np.sqrt(np.square(read.coefficients[: len(truth)] - truth).sum()) < 0.05
    viewer.theme = "light"

    getattr(viewer, "scene", viewer).camera.zoom *= 4  # napari 0.9 moved it
    user.qtbot.wait(50)
    press(dock.run_bar.preview)
    preview = viewer.layers["preview (podosomes)"]
    assert all(64 < side <= 256 for side in preview.data.shape)
    press(dock.run_bar.keep)
    assert "deblurred part (podosomes)" in user.names

    press(dock.run_bar.deblur)
    sharp = viewer.layers["deblurred (podosomes)"]
    assert_same_geometry(sharp, green)
    assert error(sharp.data) < 0.7 * error(green.data)

    viewer.reset_view()
    assert_compares(user)
    viewer.theme = "dark"

    file = tmp_path / "blur.json"
    monkeypatch.setattr(psf_section, "choose_new_file", lambda *_: str(file))
    monkeypatch.setattr(psf_section, "choose_file", lambda *_: str(file))
    dock.sections["PSF"].setOpen(is_open=True)
    press(dock.psf.save_button)
    viewer.layers.clear()
    user.qtbot.wait(100)  # napari 0.9 may crash if layers come before it drew that none is left
    assert dock.psf.blur_panel.value() is None
    (green,) = viewer.open_sample("napari-deepblur", "podosomes")
    press(dock.psf.load_button)
    loaded = dock.psf.blur_panel.value()
    np.testing.assert_allclose(loaded.coefficients, read.coefficients, atol=1e-6)
    press(dock.run_bar.deblur)
    np.testing.assert_allclose(viewer.layers["deblurred (podosomes)"].data, sharp.data, rtol=1e-4)

    red = viewer.add_layer(channel(green, RED_UM))
    dock.image.layer_box.valueChanged.emit(red)
    dock.psf.source_form.source_box.valueChanged.emit("layer")
    press(dock.run_bar.estimate)
    reused = dock.psf.blur_panel.value()
    shorter = green.metadata["deepblur"]["optics"]["wavelength_um"] / RED_UM
    np.testing.assert_allclose(reused.coefficients, shorter * loaded.coefficients, rtol=1e-5)
    press(dock.run_bar.deblur)
    assert "deblurred, PSF of podosomes (red)" in user.names


def assert_compares(user: User) -> None:
    """Key and split view show something else, and then again what was there."""
    canvas, split = user.viewer.window._qt_viewer, user.dock.deblur.compare.split
    before = user.sees()
    user.qtbot.keyPress(canvas, FLICK_KEY)
    assert (user.sees() != before).any()
    user.qtbot.keyRelease(canvas, FLICK_KEY)
    np.testing.assert_array_equal(user.sees(), before)
    user.press(split)
    assert (user.sees() != before).any()
    user.press(split)
    np.testing.assert_array_equal(user.sees(), before)


def error(image: np.ndarray) -> float:
    """Distance from the truth inside the field, over that of a flat image."""
    inside = (slice(16, -16),) * 2
    truth = sample_of("podosomes").sharp[inside]
    return float(np.linalg.norm(image[inside] - truth) / np.linalg.norm(truth - truth.mean()))


def channel(layer: Image, wavelength_um: float) -> Image:
    """The same pixels, as if they were of light of another wavelength."""
    own = layer.metadata["deepblur"]
    optics = own["optics"] | {"wavelength_um": wavelength_um}
    return Image(
        layer.data,
        name="red",
        scale=layer.scale,
        units=layer.units,
        axis_labels=layer.axis_labels,
        metadata={"deepblur": own | {"optics": optics}},
    )
