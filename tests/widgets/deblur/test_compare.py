"""Observed and deblurred image compared, without Qt."""

from __future__ import annotations

import dask.array
import numpy as np
import pytest

from helpers.bench import Bench
from helpers.layers import GEOMETRY, assert_same_geometry, deblurred, estimated, known_layer
from napari_deepblur.widgets.deblur.compare.actions import Comparison
from napari_deepblur.widgets.deblur.compare.split_image import SplitImage
from napari_deepblur.widgets.deblur.preview.task import Preview
from napari_deepblur.widgets.tasks.task import Done

SHAPE = (3, 64, 100)


@pytest.fixture
def bench() -> Bench:
    bench = Bench(known_layer(*SHAPE, **GEOMETRY))
    bench.controller.sharp.deblur()
    bench.runner.on_end(Done(deblurred(estimated(3), *SHAPE)))
    return bench


def state(bench: Bench) -> Comparison:
    return bench.view.show_comparison.call_args.args[0]


def compared(bench: Bench) -> np.ndarray:
    return np.asarray(bench.viewer.layers["compared (cells)"].data[1])


def observed(bench: Bench) -> np.ndarray:
    return bench.viewer.layers["cells"].data[1]


# The image


KEYS = [
    1,
    (1,),
    (slice(None), 5),
    (..., 70),
    (2, 3, slice(60, 90)),
    ...,
    (0, ..., slice(10, 90, 3)),
]


@pytest.mark.parametrize("key", KEYS, ids=str)
@pytest.mark.parametrize("lazy", [False, True])
def test_any_part_can_be_asked_for(key, lazy: bool) -> None:
    left, right = np.zeros(SHAPE, np.uint16), np.ones(SHAPE, np.float32)
    split = SplitImage(dask.array.from_array(left) if lazy else left, right, line=9)
    split.border = 0.6
    expected = np.where(np.arange(100) < 60, left, right)
    expected[..., 60] = 9
    np.testing.assert_array_equal(split[key], expected[key])


@pytest.mark.parametrize(("border", "value"), [(0, 1), (1, 0)])
def test_at_the_ends_there_is_one_image_and_no_line(border: float, value: int) -> None:
    split = SplitImage(np.zeros(SHAPE), np.ones(SHAPE), line=9)
    split.border = border
    assert (split[0] == value).all()


def test_a_border_that_moves_reads_nothing_anew() -> None:
    reads = []

    class Lazy(np.ndarray):
        def __getitem__(self, key):
            reads.append(key)
            return super().__getitem__(key)

    split = SplitImage(np.zeros(SHAPE).view(Lazy), np.ones(SHAPE), line=9)
    for border in (0.2, 0.4):
        split.border = border
        split[1, :, :]
    assert len(reads) == 1
    split[2, :, :]
    assert len(reads) == 2


def test_images_of_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="not the same"):
        SplitImage(np.zeros((3, 4)), np.zeros((4, 3)), line=1)


# What can be compared


def test_nothing_can_be_compared_before_there_is_a_result(layer) -> None:
    bench = Bench(layer)
    assert state(bench) == Comparison()
    bench.controller.compare.hold()
    bench.controller.compare.split(on=True)
    assert bench.names == ["cells"]
    bench.controller.compare.release()


def test_a_result_can_be_compared(bench: Bench) -> None:
    assert state(bench) == Comparison("deblurred (cells)")
    bench.viewer.layers.remove("deblurred (cells)")
    assert state(bench) == Comparison()


# Split and held


def test_the_view_is_split_at_a_border(bench: Bench) -> None:
    result, before = bench.viewer.layers["deblurred (cells)"], bench.names
    bench.controller.compare.split(on=True)
    assert state(bench).is_split
    assert bench.names == [*before, "compared (cells)"]
    layer = bench.viewer.layers["compared (cells)"]
    assert_same_geometry(layer, result)
    assert bench.viewer.layers.selection.active is result
    np.testing.assert_array_equal(compared(bench)[:, :50], observed(bench)[:, :50])
    assert (compared(bench)[:, 51:] == 1).all()
    bench.controller.compare.move_border(0.2)
    assert (compared(bench)[:, 21:] == 1).all()
    # It is neither an image to work on nor a result.
    assert [one.name for one in bench.view.show_layers.call_args.args[0]] == ["cells"]
    bench.controller.compare.split(on=False)
    assert bench.names == before
    assert not state(bench).is_split


def test_the_observed_image_is_there_while_it_is_held(bench: Bench) -> None:
    before = bench.names
    bench.controller.compare.hold()
    np.testing.assert_array_equal(compared(bench), observed(bench))
    bench.controller.compare.release()
    assert bench.names == before
    bench.controller.compare.split(on=True)
    bench.controller.compare.hold()
    np.testing.assert_array_equal(compared(bench), observed(bench))
    bench.controller.compare.release()
    assert (compared(bench)[:, 51:] == 1).all()


def test_contrast_and_colours_are_those_of_the_result(bench: Bench) -> None:
    source, result = (bench.viewer.layers[name] for name in ("cells", "deblurred (cells)"))
    result.contrast_limits, result.gamma, result.colormap = (5, 50), 0.7, "green"
    before = list(source.contrast_limits), source.gamma, source.colormap.name
    bench.controller.compare.split(on=True)
    layer = bench.viewer.layers["compared (cells)"]
    assert (layer.contrast_limits, layer.gamma, layer.colormap.name) == ([5, 50], 0.7, "green")
    # What is changed while comparing changes both, and stays with the result.
    layer.contrast_limits = (6, 60)
    assert result.contrast_limits == [6, 60]
    bench.controller.compare.split(on=False)
    layer.contrast_limits = (7, 70)
    assert result.contrast_limits == [6, 60]
    assert (list(source.contrast_limits), source.gamma, source.colormap.name) == before


def test_the_observed_image_can_have_its_own_contrast(bench: Bench) -> None:
    source, result = (bench.viewer.layers[name] for name in ("cells", "deblurred (cells)"))
    source.contrast_limits, result.contrast_limits = (100, 300), (0, 10)
    bench.controller.compare.split(on=True)
    bench.controller.compare.choose_contrast("own")
    assert state(bench).contrast == "own"
    # Black and white of the one are those of the other.
    left = (observed(bench)[:, :50] - 100.0) / 20
    np.testing.assert_allclose(compared(bench)[:, :50], left, rtol=1e-5)
    assert (compared(bench)[:, 51:] == 1).all()
    source.contrast_limits = (100, 200)
    np.testing.assert_allclose(compared(bench)[:, :50], 2 * left, rtol=1e-5)
    bench.controller.compare.choose_contrast("equal")
    np.testing.assert_array_equal(compared(bench)[:, :50], observed(bench)[:, :50])


@pytest.mark.parametrize("gone", ["cells", "deblurred (cells)", "compared (cells)"])
def test_comparing_ends_with_one_of_its_layers(bench: Bench, gone: str) -> None:
    bench.controller.compare.split(on=True)
    bench.viewer.layers.remove(gone)
    assert "compared (cells)" not in bench.names
    assert not state(bench).is_split


@pytest.mark.parametrize("what", ["3-D", "another layer", "pixels", "deblurred anew", "all gone"])
def test_comparing_ends_where_it_makes_no_sense(bench: Bench, what: str) -> None:
    bench.controller.compare.split(on=True)
    if what == "3-D":
        bench.viewer.dims.ndisplay = 3
    elif what == "another layer":
        bench.controller.select(bench.viewer.add_layer(known_layer(64, 64, name="other")))
    elif what == "pixels":
        bench.controller.layer.data = bench.controller.layer.data + 1
    elif what == "deblurred anew":
        bench.controller.sharp.deblur()
        bench.runner.on_end(Done(deblurred(estimated(3), *SHAPE)))
    else:
        bench.viewer.layers.clear()
    assert "compared (cells)" not in bench.names
    assert not state(bench).is_split


def test_results_of_another_shape_are_not_compared(bench: Bench) -> None:
    bench.controller.layer.data = np.zeros((4, 64, 64), np.uint16)
    assert state(bench) == Comparison()


def test_a_preview_is_compared_with_its_part(bench: Bench) -> None:
    bench.controller.layer.corner_pixels = np.array([[0, 10, 20], [0, 49, 69]])
    bench.controller.preview.show()
    sharp = np.full((1, 40, 50), 7, np.float32)
    bench.runner.on_end(Done(Preview(estimated(3), (1, 10, 20), sharp, (7, 7), 7.0)))
    bench.viewer.layers.selection.active = bench.viewer.layers["preview (cells)"]
    bench.controller.compare.hold()
    shown = np.asarray(bench.viewer.layers["compared (cells)"].data)
    np.testing.assert_array_equal(shown[0], observed(bench)[10:50, 20:70])
    bench.controller.compare.release()
    bench.controller.preview.discard()
    assert state(bench) == Comparison("deblurred (cells)")
