"""Gaussian means and local maxima are those of SciPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_deepblur.engine.smoothing import gaussian_mean, highest_nearby, transposed

_SHAPES = st.tuples(st.integers(1, 150), st.integers(1, 150))


def noise(shape):
    return np.random.default_rng(0).normal(100, 10, shape).astype(np.float32)


@settings(deadline=None)
@given(shape=_SHAPES, width=st.floats(0.05, 12), truncate=st.sampled_from([3.0, 4.0]))
def test_gaussian_means_are_those_of_scipy(shape, width, truncate):
    plane = noise(shape)
    expected = ndimage.gaussian_filter(plane, width, mode="mirror", truncate=truncate)
    found = gaussian_mean(plane, width, truncate=truncate)
    np.testing.assert_allclose(found, expected, rtol=3e-6)


@settings(deadline=None)
@given(shape=_SHAPES, reach=st.integers(1, 9))
def test_maxima_are_those_of_scipy(shape, reach):
    plane = noise(shape)
    expected = ndimage.maximum_filter(plane, 2 * reach + 1)
    np.testing.assert_array_equal(highest_nearby(plane, reach), expected)


@pytest.mark.parametrize("shape", [(1, 5), (64, 33)])
def test_transposes_lie_in_memory_row_by_row(shape):
    turned = transposed(noise(shape))
    np.testing.assert_array_equal(turned, noise(shape).T)
    assert turned.flags.c_contiguous
