"""The dock's behaviour with a blur that varies over the field, without Qt."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image

from helpers.bench import Bench
from helpers.layers import GEOMETRY, deblurred, estimated, known_layer
from napari_deepblur.engine.models import DEFAULT_MODEL
from napari_deepblur.widgets.layers.looked_at import current_pixel, current_plane
from napari_deepblur.widgets.parts.tone import Tone
from napari_deepblur.widgets.tasks.task import Done

LAYERS = ["cells", "eigen-PSFs (cells)", "PSF field (cells)"]


def point_at(bench: Bench, *world: float) -> None:
    """Move the mouse."""
    bench.viewer.mouse_over_canvas = True
    bench.viewer.cursor.position = world


def point_at_pixel(bench: Bench, layer: Image, *pixel: float) -> None:
    point_at(bench, *layer.data_to_world(pixel))


@pytest.fixture
def bench(layer: Image, varying) -> Bench:
    """The blur of the layer is known."""
    bench = Bench(layer)
    bench.controller.psf.estimate()
    bench.runner.on_end(Done(varying()))
    return bench


def picture(bench: Bench):
    return bench.view.show_psf.call_args.args[0]


def table(bench: Bench):
    return bench.view.show_blur.call_args.args[0]


# Layers


def test_an_estimate_shows_psf_field_and_eigen_psfs(bench: Bench) -> None:
    assert bench.names == LAYERS
    listed, current = bench.view.show_layers.call_args.args
    assert [layer.name for layer in listed] == ["cells"]
    assert current.name == "cells"
    assert bench.viewer.layers.selection.active.name == "cells"


def test_another_estimate_takes_the_place_of_the_first(bench: Bench, varying) -> None:
    bench.controller.psf.estimate()
    bench.runner.on_end(Done(varying()))
    assert bench.names == LAYERS
    bench.controller.psf.estimate()
    bench.runner.on_end(Done(estimated()))
    assert bench.names == ["cells", "PSF (cells)"]


def test_the_deblurred_image_lies_on_top(bench: Bench, varying) -> None:
    bench.controller.sharp.deblur()
    bench.runner.on_end(Done(deblurred(varying(), 128, 128)))
    assert bench.names == [*LAYERS, "deblurred (cells)"]


# Table


def test_the_table_says_how_the_psf_varies(bench: Bench, varying) -> None:
    shown = table(bench)
    assert shown.unit == "dimensionless"
    assert len(shown.names) == 6
    sharpest, widest = varying().field.widths[0]
    assert (shown.over_field.sharpest, shown.over_field.widest) == (sharpest, widest)
    assert sharpest.width_um < widest.width_um
    assert shown.psf.position_yx is None


def test_the_table_of_a_stationary_blur_is_as_it_was(layer: Image) -> None:
    bench = Bench(layer)
    bench.controller.psf.estimate()
    bench.runner.on_end(Done(estimated()))
    assert table(bench).over_field is None
    assert table(bench).psf.width_um is None
    point_at_pixel(bench, layer, 3, 4)
    bench.view.show_psf.assert_not_called()


# Mouse


def test_the_psf_under_the_mouse_is_shown(bench: Bench, layer: Image, varying) -> None:
    blur = varying().blur
    for pixel in [(0, 0), (100, 20), (127, 127)]:
        point_at_pixel(bench, layer, *pixel)
        shown = picture(bench)
        assert shown.position_yx == pixel
        np.testing.assert_allclose(shown.psf, blur.psf(0, pixel))
        assert 0.1 < shown.width_um < 1


def test_the_psf_at_the_centre_is_shown_when_the_mouse_leaves(
    bench: Bench, layer: Image, varying
) -> None:
    centre = varying().blur.psf(0)
    for leave in (
        lambda: point_at_pixel(bench, layer, -1, 5),
        lambda: point_at_pixel(bench, layer, 5, 128),
        lambda: setattr(bench.viewer, "mouse_over_canvas", False),
        lambda: setattr(bench.viewer.dims, "ndisplay", 3),
    ):
        point_at_pixel(bench, layer, 5, 5)
        assert picture(bench).position_yx == (5, 5)
        leave()
        point_on = bench.viewer.cursor.position
        bench.viewer.cursor.position = tuple(np.add(point_on, 1e-6))
        assert picture(bench).position_yx is None
        np.testing.assert_allclose(picture(bench).psf, centre)


def test_nothing_is_looked_up_twice(bench: Bench, layer: Image) -> None:
    point_at_pixel(bench, layer, 5, 5)
    bench.view.show_psf.reset_mock()
    point_at_pixel(bench, layer, 5.2, 4.9)
    bench.view.show_psf.assert_not_called()


def test_the_mouse_may_be_too_fast(layer: Image, varying) -> None:
    paced = []
    bench = Bench(layer, pace=lambda function: lambda: paced.append(function))
    bench.controller.psf.estimate()
    bench.runner.on_end(Done(varying()))
    paced.clear()
    for row in (3, 30, 60):
        point_at_pixel(bench, layer, row, 5)
    bench.view.show_psf.assert_not_called()
    paced[-1]()
    assert picture(bench).position_yx == (60, 5)


def test_the_mouse_needs_no_model_folder(
    bench: Bench, layer: Image, tiny_varying_model, tmp_path
) -> None:
    tiny_varying_model.rename(tmp_path / "elsewhere")
    try:
        point_at_pixel(bench, layer, 5, 5)
    finally:
        (tmp_path / "elsewhere").rename(tiny_varying_model)
    assert picture(bench).position_yx == (5, 5)


def test_planes_and_places_of_a_layer_that_is_turned_and_sheared(varying) -> None:
    layer = known_layer(3, 64, 96, **GEOMETRY, shear=(0, 0, 0.1))
    bench = Bench(layer)
    found = varying(3, shape=(64, 96))
    bench.controller.psf.estimate()
    bench.runner.on_end(Done(found))
    for plane, y, x in [(2, 10, 80), (0, 63, 0), (1, 32, 48)]:
        bench.viewer.dims.set_point(0, layer.data_to_world((plane, 0, 0))[0])
        assert table(bench).title == f"cells, plane {plane}"
        point_at_pixel(bench, layer, plane, y, x)
        assert picture(bench).position_yx == (y, x)
        np.testing.assert_allclose(picture(bench).psf, found.blur.psf(plane, (y, x)))


def test_the_psf_stays_that_under_the_mouse_when_the_slider_moves(varying) -> None:
    layer = known_layer(3, 64, 96)
    bench = Bench(layer)
    found = varying(3, shape=(64, 96))
    bench.controller.psf.estimate()
    bench.runner.on_end(Done(found))
    point_at_pixel(bench, layer, 0, 50, 10)
    bench.viewer.dims.set_point(0, 1.0)
    assert table(bench).psf.position_yx == (50, 10)
    np.testing.assert_allclose(table(bench).psf.psf, found.blur.psf(2, (50, 10)))


def test_a_plane_beside_a_stack(varying) -> None:
    layer = known_layer(64, 96)
    bench = Bench(layer, known_layer(3, 64, 96, name="other"))
    bench.controller.select(layer)
    bench.controller.psf.estimate()
    bench.runner.on_end(Done(varying(shape=(64, 96))))
    point_at(bench, 0.5, 10 * 0.09, 20 * 0.09)
    assert picture(bench).position_yx == (10, 20)


def test_units_of_layers_may_differ() -> None:
    fine = known_layer(3, 64, 64, scale=(500, 90, 90), units=("nm",) * 3, name="fine")
    layer = known_layer(3, 64, 64)
    viewer = Bench(fine, layer).viewer
    viewer.mouse_over_canvas = True
    viewer.dims.set_point(0, 1000)
    viewer.cursor.position = (1000, 10 * 90, 20 * 90)
    for one in (fine, layer):
        assert current_plane(viewer, one) == 2
        assert current_pixel(viewer, one) == (10, 20)


def test_a_closed_controller_does_not_follow_the_mouse(bench: Bench, layer: Image) -> None:
    bench.controller.close()
    bench.view.reset_mock()
    point_at_pixel(bench, layer, 5, 5)
    bench.viewer.mouse_over_canvas = False
    assert not bench.view.method_calls


# Models and files


def test_a_model_folder_can_be_chosen(layer: Image, tiny_varying_model) -> None:
    bench = Bench(layer)
    bundled = set(bench.view.show_models.call_args.args[0])
    bench.controller.psf.choose_model(tiny_varying_model)
    offered = bench.view.show_models.call_args.args[0]
    assert set(offered) == {*bundled, str(tiny_varying_model)}
    assert bench.resolved.model == str(tiny_varying_model)
    bench.controller.settings.model = DEFAULT_MODEL
    assert bench.resolved.model == DEFAULT_MODEL
    assert str(tiny_varying_model) in bench.view.show_models.call_args.args[0]


def test_a_bundled_folder_is_the_bundled_model(layer: Image) -> None:
    from napari_deepblur.engine.models import load_model

    bench = Bench(layer)
    bench.controller.psf.choose_model(load_model(DEFAULT_MODEL).folder)
    assert bench.resolved.model == DEFAULT_MODEL


@pytest.mark.parametrize("content", [None, "{}", "no json"])
def test_a_folder_without_a_model_is_told_and_not_chosen(layer: Image, tmp_path, content) -> None:
    if content is not None:
        (tmp_path / "model.json").write_text(content)
    bench = Bench(layer)
    n_offered = len(bench.view.show_models.call_args.args[0])
    bench.controller.psf.choose_model(tmp_path)
    tone, text = bench.message
    assert tone is Tone.ERROR
    assert str(tmp_path) in text
    assert "\n" not in text
    assert bench.resolved.model == DEFAULT_MODEL
    assert len(bench.view.show_models.call_args.args[0]) == n_offered


def test_a_focus_series_is_not_offered_where_it_tells_nothing(tiny_varying_model) -> None:
    bench = Bench(known_layer(3, 64, 64))
    bench.controller.settings.focus_series = True
    assert bench.resolved.z_step_um == 0.5
    bench.controller.psf.choose_model(tiny_varying_model)
    assert bench.resolved.focus_step_um is None
    assert bench.resolved.z_step_um is None
    bench.controller.settings.model = DEFAULT_MODEL
    assert bench.resolved.focus_step_um == 0.5


def test_a_loaded_blur_brings_its_model(bench: Bench, varying, tiny_varying_model) -> None:
    bench.controller.psf.load("blur.json")
    bench.runner.on_end(Done(varying()))
    assert bench.resolved.model == str(tiny_varying_model)
    assert str(tiny_varying_model) in bench.view.show_models.call_args.args[0]


# A check that fails


def test_the_deblurred_image_is_shown_without_its_check(bench: Bench, varying) -> None:
    bench.controller.sharp.deblur()
    bench.runner.on_end(Done(deblurred(varying(), 128, 128)))
    assert bench.view.show_check.call_args.args[0] is not None
    bench.controller.sharp.deblur()
    bench.runner.on_end(Done(deblurred(varying(), 128, 128, check=None)))
    assert bench.names[-1] == "deblurred (cells)"
    assert "check" not in bench.viewer.layers[-1].metadata["deepblur"]
    bench.view.show_check.assert_called_with(None)
    assert bench.message == (Tone.GOOD, "Deblurred 'cells'.")
