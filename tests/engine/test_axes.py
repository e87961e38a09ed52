"""Planes: every image that cannot be used is refused in one clear line."""

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_deepblur.engine.axes import Planes
from napari_deepblur.errors import ImageError
from napari_deepblur.io.axes import default_axes


def image(*shape, dtype=np.float32):
    return np.random.default_rng(0).uniform(0, 100, shape).astype(dtype)


def with_pixel(value, *shape):
    bad = image(*shape)
    bad[..., 5, 7] = value
    return bad


@pytest.mark.parametrize(
    ("data", "axes", "fragment"),
    [
        ("a text", None, "real numbers"),
        (image(64, 64) > 50, None, "real numbers, got data type bool"),
        (image(64, 64) + 1j, None, "complex"),
        (image(64), None, "2 to 5 dimensions, got 1"),
        (image(1, 1, 1, 1, 64, 64), None, "2 to 5 dimensions, got 6"),
        (image(70, 80, 3), None, r"RGB.*\(70, 80, 3\).*one grey channel"),
        (image(70, 80, 4), "YX", "RGB"),
        (image(5, 70, 80, 3), "TYXC", "RGB"),
        (image(63, 64), None, "63 × 64 pixels.*at least 64 × 64"),
        (image(3, 64, 20), None, "64 × 20"),
        (image(2, 64, 64), "CYX", "2 channels.*one channel"),
        (image(2, 64, 64), "YX", "name 2 dimensions, the image has 3"),
        (image(64, 64), "TYX", "name 3 dimensions, the image has 2"),
        (image(2, 64, 64), "XYZ", "not understood.*ending in YX"),
        (image(2, 64, 64), "YXT", "not understood"),
        (image(2, 64, 64), "QYX", "not understood"),
        (image(2, 2, 64, 64), "ZTYX", "in that order"),
        (image(2, 2, 64, 64), "TTYX", "not understood"),
        (image(0, 64, 64), "TYX", "no planes"),
    ],
)
def test_shapes_and_axes_that_are_refused(data, axes, fragment):
    with pytest.raises(ImageError, match=fragment) as caught:
        Planes.of(data, axes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "fragment"),
    [
        (with_pixel(np.nan, 64, 64), "^1 pixels are NaN or infinite: replace"),
        (with_pixel(np.inf, 64, 64), "1 pixels are NaN or infinite"),
        (np.full((64, 64), 7), "all pixels are equal"),
        (np.zeros((64, 64)), "all pixels are equal"),
    ],
)
def test_values_that_are_refused(data, fragment):
    with pytest.raises(ImageError, match=fragment):
        Planes.of(data)[0]


def test_the_bad_plane_is_named():
    data = image(3, 64, 64)
    data[2, 0, 0] = np.nan
    planes = Planes.of(data)
    assert planes[1].shape == (64, 64)
    with pytest.raises(ImageError, match="in plane 2"):
        planes[2]


@pytest.mark.parametrize(("n", "axes"), [(2, "YX"), (3, "ZYX"), (4, "CZYX"), (5, "TCZYX")])
def test_default_axes(n, axes):
    assert default_axes(n) == axes


@given(
    lead=st.lists(st.integers(1, 3), max_size=2),
    dtype=st.sampled_from([np.uint8, np.int16, np.uint16, np.float32, np.float64, ">u2"]),
)
def test_planes_in_order_as_float32(lead, dtype):
    data = (1000 * np.random.default_rng(1).random((*lead, 64, 66)) % 251).astype(dtype)
    planes = Planes.of(data, "TZYX"[-data.ndim :])
    assert len(planes) == int(np.prod(lead, dtype=int))
    assert planes.shape == data.shape
    assert planes.lead_shape == tuple(lead)
    assert planes.plane_shape == (64, 66)
    for plane, expected in zip(planes, data.reshape(-1, 64, 66), strict=True):
        assert plane.dtype == np.float32
        np.testing.assert_array_equal(plane, expected.astype(np.float32))


@given(hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=63))
def test_small_images_are_refused_whatever_their_shape(shape):
    with pytest.raises(ImageError, match="at least 64 × 64"):
        Planes.of(np.zeros(shape))


def test_axes_in_small_letters_and_a_single_channel():
    assert Planes.of(image(3, 64, 64), "tyx").axes == "TYX"
    assert len(Planes.of(image(4, 1, 64, 64), "TCYX")) == 4


def test_lists_are_images_too():
    assert Planes.of(image(64, 64).tolist()).plane_shape == (64, 64)


@pytest.mark.parametrize(
    "view",
    [
        lambda data: data[::-1, ::-1],
        lambda data: data.T,
        lambda data: np.broadcast_to(data, data.shape),
    ],
    ids=["flipped", "transposed", "read-only"],
)
def test_planes_of_views_can_be_worked_on(view):
    """torch takes neither negative strides nor memory that must not be written."""
    data = view(image(64, 64))
    plane = Planes.of(data)[0]
    np.testing.assert_array_equal(plane, data)
    assert plane.flags.c_contiguous
    assert plane.flags.writeable


def test_a_plane_is_not_the_callers_memory():
    data = image(64, 64)
    plane = Planes.of(data)[0]
    plane[:] = 0
    assert data.max() > 0


def test_lazy_arrays_are_read_one_plane_at_a_time():
    read = []

    def block(block_info=None):
        read.append(block_info[None]["chunk-location"][0])
        return image(1, 64, 64)

    lazy = da.map_blocks(block, chunks=((1,) * 4, 64, 64), dtype=np.float32)
    planes = Planes.of(lazy, "TYX")
    assert len(planes) == 4
    assert read == []
    planes[2]
    assert read == [2]
