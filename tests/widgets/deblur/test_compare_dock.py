"""The row Compare in a real window."""

from __future__ import annotations

import sys
import time

import numpy as np
import pytest
from napari.utils.key_bindings import KeymapHandler

from helpers.layers import deblurred, estimated, known_layer
from napari_deepblur.widgets.deblur.compare.row import FLICK_KEY
from napari_deepblur.widgets.deblur.dock import DeblurDock
from napari_deepblur.widgets.deblur.session import Session


@pytest.fixture
def dock(module_viewer, viewer):
    dock = DeblurDock(module_viewer)
    module_viewer.window.add_dock_widget(dock, name="Deep-Blur")
    return dock


def show_result(viewer, dock: DeblurDock, *shape: int) -> None:
    source = viewer.add_layer(known_layer(*shape))
    result = deblurred(estimated(), *shape)
    list(dock.controller._work.keep(source, result.estimated))
    dock.controller._work.layers.show_deblurred(source, result)
    dock.controller._refresh()


def names(viewer) -> list[str]:
    return [layer.name for layer in viewer.layers]


def test_the_row_comes_with_a_result(viewer, dock) -> None:
    assert dock.deblur.compare.isHidden()
    show_result(viewer, dock, 64, 64)
    assert not dock.deblur.compare.isHidden()
    assert dock.deblur.compare.slider.isHidden()
    # It is in view: what stands above it gives way.
    assert not dock.sections["PSF"].isOpen()
    viewer.layers.remove("deblurred (cells)")
    assert dock.deblur.compare.isHidden()


def test_split_slide_and_hold(viewer, dock, qtbot) -> None:
    show_result(viewer, dock, 64, 64)
    row = dock.deblur.compare
    row.split.click()
    assert not row.slider.isHidden()
    layer = viewer.layers["compared (cells)"]
    row.slider.setValue(250)
    qtbot.waitUntil(lambda: np.asarray(layer.data)[:, 20:].max() == 1)
    row.flick.pressed.emit()
    np.testing.assert_array_equal(np.asarray(layer.data), viewer.layers["cells"].data)
    row.flick.released.emit()
    row.split.click()
    assert "compared (cells)" not in names(viewer)
    assert row.slider.isHidden()


def test_the_contrast_is_remembered(viewer, dock, qtbot) -> None:
    show_result(viewer, dock, 64, 64)
    row = dock.deblur.compare
    assert not row.own_contrast.isChecked()
    row.own_contrast.click()
    assert dock.controller.settings.compare_contrast == "own"
    assert Session().settings.compare_contrast == "own"
    assert row.own_contrast.isChecked()
    row.own_contrast.click()
    assert Session().settings.compare_contrast == "equal"


def test_a_key_flicks_while_it_is_down(module_viewer, viewer, dock) -> None:
    show_result(viewer, dock, 64, 64)
    keys = KeymapHandler()
    keys.keymap_providers = [module_viewer]
    keys.press_key(FLICK_KEY)
    assert "compared (cells)" in names(viewer)
    keys.release_key(FLICK_KEY)
    assert "compared (cells)" not in names(viewer)


def test_a_closed_dock_gives_the_key_back_and_compares_no_more(module_viewer, viewer, dock) -> None:
    show_result(viewer, dock, 64, 64)
    dock.deblur.compare.split.click()
    module_viewer.window._wrapped_dock_widgets["Deep-Blur"].destroyOnClose()
    assert names(viewer) == ["cells", "PSF (cells)", "deblurred (cells)"]
    keys = KeymapHandler()
    keys.keymap_providers = [module_viewer]
    assert not keys.press_key(FLICK_KEY)


def test_a_border_in_a_plane_of_2048_pixels_moves_smoothly(viewer, dock, capsys) -> None:
    show_result(viewer, dock, 4, 2048, 2048)
    compare, took = dock.controller.compare, {}
    for what, action in {
        "splitting": lambda: compare.split(on=True),
        "moving the border": lambda: compare.move_border(0.3),
        "flicking": compare.hold,
        "and back": compare.release,
    }.items():
        start = time.perf_counter()
        action()
        took[what] = time.perf_counter() - start
    with capsys.disabled():
        text = ", ".join(f"{what} {1000 * seconds:.0f} ms" for what, seconds in took.items())
        sys.stdout.write(f"\ncompare a plane of 2048 × 2048: {text}\n")
    assert took["moving the border"] < 0.3
