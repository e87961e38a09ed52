"""Resampling: exact for band-limited images, mean kept, nothing shifted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_deepblur.engine.resample import resample


def smooth(height, width, *, orders=6, seed=0):
    """A sum of a few cosines, mirrored at its borders, at any sampling of one field."""
    rng = np.random.default_rng(seed)
    amplitudes = rng.normal(size=(orders, orders))
    y = np.cos(np.pi * np.outer(np.arange(orders), (np.arange(height) + 0.5) / height))
    x = np.cos(np.pi * np.outer(np.arange(orders), (np.arange(width) + 0.5) / width))
    return (y.T @ amplitudes @ x + 20).astype(np.float32)


@given(
    height=st.integers(12, 60),
    width=st.integers(12, 60),
    factor=st.floats(0.6, 3),
    seed=st.integers(0, 50),
)
def test_exact_for_band_limited_images(height, width, factor, seed):
    other = resample(smooth(height, width, seed=seed), factor)
    assert other.shape == (round(height * factor), round(width * factor))
    assert other.dtype == np.float32
    np.testing.assert_allclose(other, smooth(*other.shape, seed=seed), atol=2e-4)


@given(factor=st.floats(0.1, 4), seed=st.integers(0, 50))
def test_mean_is_kept(factor, seed):
    plane = np.random.default_rng(seed).uniform(0, 100, (31, 40)).astype(np.float32)
    assert resample(plane, factor).mean() == pytest.approx(plane.mean(), rel=1e-5)


@pytest.mark.parametrize("factor", [0.5, 0.7, 1.6, 2.0])
def test_nothing_is_shifted(factor):
    y, x = np.mgrid[:80, :80] + 0.5
    spot = np.exp(-((y - 30) ** 2 + (x - 52) ** 2) / (2 * 5**2)).astype(np.float32)
    other = resample(spot, factor)
    rows, columns = np.indices(other.shape) + 0.5
    assert (rows * other).sum() / other.sum() == pytest.approx(30 * factor, abs=0.01)
    assert (columns * other).sum() / other.sum() == pytest.approx(52 * factor, abs=0.01)


def test_same_size_same_values():
    plane = smooth(20, 30)
    np.testing.assert_array_equal(resample(plane, 1.001), plane)


def test_down_and_no_aliasing():
    """What the coarse grid cannot hold disappears instead of coming back elsewhere."""
    fine = np.tile(np.array([1.0, -1.0], np.float32), (64, 32)) + 5
    coarse = resample(fine, 0.5)
    np.testing.assert_allclose(coarse[:, 4:-4], 5, atol=0.06)


def test_input_is_not_changed():
    plane = smooth(20, 30)
    before = plane.copy()
    resample(plane, 2.0)
    np.testing.assert_array_equal(plane, before)
