"""The preview's behaviour, without Qt: which part, its layer, kept or thrown away."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image

from helpers.bench import Bench
from helpers.layers import GEOMETRY, deblurred, estimated, estimated_in_3d, known_layer
from napari_deepblur.engine.part import Part
from napari_deepblur.widgets.deblur.preview.region import region_of
from napari_deepblur.widgets.deblur.preview.task import Preview
from napari_deepblur.widgets.parts.tone import Tone
from napari_deepblur.widgets.tasks.task import Done

ROWS, COLUMNS = slice(20, 60), slice(30, 90)


@pytest.fixture
def bench(layer: Image) -> Bench:
    look_at(layer, ROWS, COLUMNS)
    return Bench(layer)


def look_at(layer: Image, rows: slice, columns: slice) -> None:
    """Zoom in, as the canvas tells the layer when it is drawn."""
    corners = np.zeros((2, layer.ndim), int)
    corners[:, -2:] = [[rows.start, columns.start], [rows.stop - 1, columns.stop - 1]]
    layer.corner_pixels = corners


def preview(bench: Bench, found=None, *, origin=(20, 30), shape=(40, 60), bright=1.0, **changes):
    bench.controller.preview.show()
    assert bench.controller.busy
    sharp = np.ones(shape, np.float32)
    bench.runner.on_end(
        Done(Preview(found or estimated(), origin, sharp, (1, 9000), bright, **changes))
    )


# Which part


def test_what_is_in_view_is_taken(layer: Image, bench: Bench) -> None:
    region = region_of(bench.viewer, layer, 512)
    assert region.part == Part(0, ROWS, COLUMNS)
    assert region.words == "what is in view"


def test_of_a_large_view_the_middle_is_taken(layer: Image, bench: Bench) -> None:
    region = region_of(bench.viewer, layer, 32)
    assert region.part == Part(0, slice(24, 56), slice(44, 76))
    assert region.words == "the middle 32 × 32 pixels of what is in view"


def test_the_plane_is_that_of_the_slider() -> None:
    bench = Bench(known_layer(2, 3, 64, 64, axis_labels=tuple("tzyx")))
    bench.viewer.dims.set_point((0, 1), (1, 0.5 * 2))
    assert region_of(bench.viewer, bench.controller.layer, 512).part.plane == 5


def test_a_volume_in_view_has_all_of_the_plane() -> None:
    bench = Bench(known_layer(8, 64, 96))
    bench.viewer.dims.ndisplay = 3
    region = region_of(bench.viewer, bench.controller.layer, 512)
    assert region.part.window == (slice(0, 64), slice(0, 96))


def test_of_a_pyramid_the_pixels_are_those_of_its_finest_level() -> None:
    fine = known_layer(256, 256).data
    bench = Bench(known_layer(256, 256))
    bench.viewer.layers.clear()
    layer = bench.viewer.add_image([fine, fine[::2, ::2], fine[::4, ::4]], multiscale=True)
    layer.data_level = 2
    look_at(layer, slice(10, 20), slice(0, 64))
    assert region_of(bench.viewer, layer, 512).part.window == (slice(40, 80), slice(0, 256))


def test_a_selected_shape_goes_before_the_view(layer: Image, bench: Bench) -> None:
    corners = np.array([[10.2, 40], [10.2, 70], [50, 70], [50, 40]]) * 0.09
    shapes = bench.viewer.add_shapes([corners], name="box", units=("um", "um"))
    assert region_of(bench.viewer, layer, 512).part == Part(0, slice(10, 50), slice(40, 70))
    bench.viewer.layers.selection = {layer}
    assert region_of(bench.viewer, layer, 512).words == "what is in view"
    shapes.selected_data = {0}
    region = region_of(bench.viewer, layer, 32)
    assert region.part == Part(0, slice(10, 50), slice(40, 70))  # a wish: of any size
    assert region.words == "the shape in 'box'"
    shapes.visible = False
    assert region_of(bench.viewer, layer, 512).words == "what is in view"


@pytest.mark.parametrize("units", [("um", "um"), ("nm", "nm"), None])
def test_a_shape_may_have_other_units(layer: Image, bench: Bench, units) -> None:
    factor = {None: 1, ("um", "um"): 0.09, ("nm", "nm"): 90}[units]
    corners = np.array([[10, 40], [10, 70], [50, 70], [50, 40]]) * factor
    if units is None:  # napari then takes all numbers of the scene as they are
        corners = corners * 0.09
    bench.viewer.add_shapes([corners], name="box", **({"units": units} if units else {}))
    part = region_of(bench.viewer, layer, 512).part
    assert part == Part(0, slice(10, 50), slice(40, 70))


def test_nothing_in_view_is_said(layer: Image, bench: Bench) -> None:
    look_at(layer, slice(0, 1), slice(0, 128))
    bench.controller.preview.show()
    assert not bench.controller.busy
    assert bench.message[0] is Tone.WARNING
    assert "nothing of 'cells' in view" in bench.message[1]


# The layer


def test_a_preview_lies_at_its_place(layer: Image, bench: Bench) -> None:
    preview(bench)
    assert bench.names == ["cells", "preview (cells)"]
    shown = bench.viewer.layers["preview (cells)"]
    np.testing.assert_allclose(shown.data_to_world((0, 0)), layer.data_to_world((20, 30)))
    np.testing.assert_allclose(shown.data_to_world((39, 59)), layer.data_to_world((59, 89)))
    assert shown.contrast_limits == layer.contrast_limits
    assert shown.contrast_limits_range[1] == 9000
    assert shown.units == layer.units
    assert bench.message == (Tone.GOOD, "Preview of what is in view.")
    bench.view.show_preview.assert_called_with(waits=True)
    # It is no image to work on, and the user goes on with what was active.
    assert [one.name for one in bench.view.show_layers.call_args.args[0]] == ["cells"]
    assert bench.viewer.layers.selection.active is layer


def test_white_is_brighter_where_bright_spots_grew(layer: Image, bench: Bench) -> None:
    preview(bench, bright=8000.0)
    shown = bench.viewer.layers["preview (cells)"]
    assert shown.contrast_limits == [layer.contrast_limits[0], 8000]


def test_a_preview_of_a_stack_shows_at_its_plane_only() -> None:
    layer = known_layer(3, 64, 64, **GEOMETRY)
    look_at(layer, slice(0, 64), slice(0, 64))
    bench = Bench(layer)
    preview(bench, estimated(3), origin=(2, 10, 20), shape=(1, 40, 30))
    shown = bench.viewer.layers["preview (cells)"]
    np.testing.assert_allclose(shown.data_to_world((0, 5, 6)), layer.data_to_world((2, 15, 26)))
    bench.viewer.dims.set_current_step(0, 1)
    preview(bench, estimated(3), origin=(1, 0, 0), shape=(1, 64, 64))
    assert bench.message[1].startswith("Preview of what is in view, plane 1.")


def test_another_preview_takes_the_place_of_the_first(bench: Bench) -> None:
    preview(bench)
    preview(bench)
    assert bench.names == ["cells", "preview (cells)"]


def test_deblurring_takes_the_place_of_the_preview(bench: Bench) -> None:
    preview(bench)
    bench.controller.sharp.deblur()
    assert "preview (cells)" in bench.names  # until there is something better
    bench.runner.on_end(Done(deblurred(estimated(), 128, 128)))
    assert bench.names == ["cells", "PSF (cells)", "deblurred (cells)"]
    bench.view.show_preview.assert_called_with(waits=False)


def test_a_preview_can_be_kept(bench: Bench) -> None:
    for _ in range(2):
        preview(bench)
        bench.controller.preview.keep()
        bench.view.show_preview.assert_called_with(waits=False)
    assert bench.names == ["cells", "deblurred part (cells)", "deblurred part (cells) [1]"]
    kept = bench.viewer.layers["deblurred part (cells)"]
    assert kept.metadata["deepblur"]["region"] == {"origin": [20, 30], "shape": [40, 60]}
    assert [one.name for one in bench.view.show_layers.call_args.args[0]] == ["cells"]


def test_a_preview_can_be_thrown_away(bench: Bench) -> None:
    preview(bench)
    bench.controller.preview.discard()
    assert bench.names == ["cells"]
    bench.view.show_preview.assert_called_with(waits=False)


def test_a_preview_that_the_user_removes_waits_for_nothing(bench: Bench) -> None:
    preview(bench)
    bench.viewer.layers.remove("preview (cells)")
    bench.view.show_preview.assert_called_with(waits=False)


# Which blur


def test_the_known_blur_is_used(bench: Bench, monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(
        "napari_deepblur.widgets.deblur.preview.actions.preview_task",
        lambda *given: asked.append(given[-1]),
    )
    preview(bench, of_plane_alone=True)
    assert bench.message[1] == ("Preview of what is in view, with the blur of this plane alone.")
    assert asked == [None]
    assert bench.view.show_blur.call_args.args[0] is None  # it is not that of the layer
    bench.controller.psf.estimate()
    bench.runner.on_end(Done(estimated()))
    preview(bench)
    assert asked[1] is not None


def test_in_3d_the_psf_comes_first() -> None:
    layer = known_layer(8, 64, 64)
    look_at(layer, slice(0, 64), slice(0, 64))
    bench = Bench(layer)
    bench.controller.settings.per = "volume"
    bench.controller.preview.show()
    assert not bench.controller.busy
    assert "press Estimate PSF" in bench.message[1]
    bench.controller.psf.estimate()
    bench.runner.on_end(Done(estimated_in_3d()))
    preview(bench, estimated_in_3d(), origin=(0, 0, 0), shape=(8, 64, 64))
    shown = bench.viewer.layers["preview (cells)"]
    np.testing.assert_allclose(shown.data_to_world((0, 0, 0)), layer.data_to_world((0, 0, 0)))


@pytest.mark.parametrize("answer", ["keep", "discard"])
def test_the_line_on_a_preview_goes_with_it(answer: str) -> None:
    layer = known_layer(64, 64)
    look_at(layer, slice(0, 64), slice(0, 64))
    bench = Bench(layer)
    preview(bench)
    assert bench.message[1].startswith("Preview of")
    getattr(bench.controller.preview, answer)()
    assert bench.message[1] == ""
