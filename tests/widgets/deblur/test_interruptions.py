"""Layers that are moved, edited or removed while results exist or a task runs, without Qt."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from napari.layers import Image

from helpers.bench import Bench
from helpers.layers import assert_same_geometry, deblurred, estimated, known_layer, spots
from napari_deepblur.widgets.parts.tone import Tone
from napari_deepblur.widgets.tasks.task import Done

MOVES = {
    "translate": (3.0, 4.0),
    "rotate": 30.0,
    "affine": [[0, -1, 5], [1, 0, 2], [0, 0, 1]],
}


@pytest.fixture
def bench(layer: Image) -> Bench:
    return Bench(layer)


def estimate(bench: Bench, n_planes: int = 1) -> None:
    bench.controller.psf.estimate()
    bench.runner.on_end(Done(estimated(n_planes)))


def shown(bench: Bench):
    return bench.view.show_blur.call_args.args[0]


# Moved and edited


@pytest.mark.parametrize("move", MOVES)
def test_moving_a_layer_keeps_its_estimate(bench: Bench, layer: Image, move: str) -> None:
    estimate(bench)
    setattr(layer, move, MOVES[move])
    assert shown(bench).title == "cells"
    assert not shown(bench).outdated
    psf = bench.viewer.layers["PSF (cells)"]
    np.testing.assert_allclose(
        psf.data_to_world((2, 0)), layer.data_to_world((2, 128 + 8)), atol=1e-9
    )


@pytest.mark.parametrize("move", MOVES)
def test_moving_a_layer_keeps_a_running_task(bench: Bench, layer: Image, move: str) -> None:
    bench.controller.sharp.deblur()
    setattr(layer, move, MOVES[move])
    assert bench.controller.busy
    assert bench.runner.n_cancelled == 0
    bench.runner.on_end(Done(deblurred(estimated(), 128, 128)))
    assert_same_geometry(bench.viewer.layers["deblurred (cells)"], layer)


@pytest.mark.parametrize(
    ("name", "value", "changed"),
    [
        ("data", spots(128, 128, seed=1), "pixels"),
        ("scale", (0.1, 0.1), "pixel size"),
        ("units", ("nm", "nm"), "pixel size"),
    ],
)
def test_an_edit_that_stops_a_task_says_so(bench: Bench, layer, name, value, changed) -> None:
    bench.controller.psf.estimate()
    setattr(layer, name, value)
    assert not bench.controller.busy
    tone, text = bench.message
    assert tone is Tone.WARNING
    assert f"The {changed}" in text
    assert "'cells' changed: the work on it was stopped" in text


def test_another_pixel_size_marks_the_estimate_and_does_not_drop_it(bench, layer) -> None:
    bench.controller.sharp.deblur()
    bench.runner.on_end(Done(deblurred(estimated(), 128, 128)))
    layer.scale = (0.1, 0.1)
    assert shown(bench).outdated == "pixel size (µm) 0.09"
    assert bench.view.show_check.call_args.args[0].outdated == "pixel size (µm) 0.09"
    layer.scale = (0.09, 0.09)
    assert not shown(bench).outdated


def test_other_pixels_of_a_layer_that_is_not_chosen_void_its_estimate(bench, layer) -> None:
    estimate(bench)
    bench.controller.select(bench.viewer.add_layer(known_layer(64, 64, name="other")))
    layer.data = spots(128, 128, seed=1)
    bench.controller.select(layer)
    assert shown(bench) is None


# Removed


@pytest.mark.parametrize("how", ["one by one", "all at once"])
def test_layers_without_units_beside_others_can_be_removed(how: str) -> None:
    bench = Bench(Image(spots(3, 64, 64), name="plain"), known_layer(3, 64, 64))
    estimate(bench, 3)
    # The slider must change when the layer goes, as it does where the units differ.
    bench.viewer.dims.set_point(0, 1)
    if how == "one by one":
        bench.viewer.layers.remove("PSF (cells)")
        bench.viewer.layers.remove("cells")
        assert bench.controller.layer.name == "plain"
        assert [layer.name for layer in bench.view.show_layers.call_args.args[0]] == ["plain"]
    else:
        bench.viewer.layers.clear()
        assert bench.controller.layer is None
        assert not bench.view.show_layers.call_args.args[0]


@pytest.mark.parametrize("others", [(), ("other",)])
def test_removing_a_layer_during_a_task_says_so(bench: Bench, layer: Image, others) -> None:
    for name in others:
        bench.viewer.add_layer(known_layer(64, 64, name=name))
    bench.controller.select(layer)
    bench.controller.psf.estimate()
    bench.viewer.layers.remove(layer)
    assert bench.runner.n_cancelled == 1
    assert bench.message == (Tone.WARNING, "'cells' was removed: the work on it was stopped.")
    bench.runner.on_end(Done(estimated()))
    assert bench.names == list(others)


def test_results_of_removed_layers_are_released(bench: Bench, layer: Image) -> None:
    bench.controller.sharp.deblur()
    found = estimated()
    memory = weakref.ref(found.psfs)
    bench.runner.on_end(Done(deblurred(found, 128, 128)))
    bench.runner.on_end = bench.view = None
    bench.controller._work.view.reset_mock()
    del found
    gc.collect()
    assert memory() is not None
    for name in bench.names:
        bench.viewer.layers.remove(name)
    # napari itself remembers which layer was selected last.
    bench.viewer.add_image(np.ones((4, 4)))
    bench.controller._work.view.reset_mock()
    gc.collect()
    assert memory() is None


def test_mosaics_are_released_with_their_layer(bench: Bench, varying) -> None:
    found = varying()
    memory = weakref.ref(found.field.mosaics)
    bench.controller.psf.estimate()
    bench.runner.on_end(Done(found))
    del found
    bench.viewer.layers.remove("PSF field (cells)")
    bench.runner.on_end = None
    bench.view.reset_mock()
    gc.collect()
    assert memory() is None
    assert shown_after_move(bench).over_field is not None


def shown_after_move(bench: Bench):
    bench.viewer.layers["cells"].translate = (1, 2)
    return shown(bench)


# Another layer


def test_a_running_task_is_not_left_for_another_layer(bench: Bench, layer: Image) -> None:
    other = bench.viewer.add_layer(known_layer(64, 64, name="other"))
    bench.viewer.layers.selection.active = layer
    bench.controller.psf.estimate()
    bench.viewer.layers.selection.active = other
    assert not bench.controller.select_active()
    assert bench.controller.layer is layer
    assert bench.runner.n_cancelled == 0
    tone, text = bench.message
    assert tone is Tone.WARNING
    assert "Still at work on 'cells'" in text


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("deblurred (cells)", "shows a result"),
        ("PSF (cells)", "shows a result"),
        ("dots", "no image"),
    ],
)
def test_results_and_other_layers_are_not_deblurred(bench: Bench, name: str, reason: str) -> None:
    bench.controller.sharp.deblur()
    bench.runner.on_end(Done(deblurred(estimated(), 128, 128)))
    bench.viewer.add_points([[1, 2]], name="dots")
    bench.viewer.layers.selection.active = bench.viewer.layers[name]
    assert not bench.controller.select_active()
    tone, text = bench.message
    assert tone is Tone.ERROR
    assert f"'{name}'" in text
    assert reason in text
