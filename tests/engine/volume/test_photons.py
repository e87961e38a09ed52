"""Counts as photons, and independent halves."""

import numpy as np
import pytest

from helpers.stacks import OPTICS, blurred, photographed, points
from napari_deepblur.engine.volume.photons import halves, photons_of


@pytest.fixture(scope="module")
def seen():
    return blurred(points((24, 96, 96), n=300))


@pytest.mark.parametrize(("gain", "offset"), [(1.0, 0.0), (3.5, 100.0), (0.02, -7.0)])
@pytest.mark.parametrize("photons", [30, 300])
def test_gain_is_read_off_the_noise(seen, gain, offset, photons):
    stack = photographed(seen, photons=photons, gain=gain, offset=offset)
    read = photons_of(stack, OPTICS.cutoff)
    assert read.gain == pytest.approx(gain, rel=0.2)
    assert read.zero == pytest.approx(offset, abs=6 * gain)


def test_gain_and_offset_do_not_change_the_photons(seen):
    stack = photographed(seen)
    one, other = (photons_of(s, OPTICS.cutoff).values for s in (stack, 8 * stack + 64))
    np.testing.assert_allclose(one, other, atol=0.02)


def test_without_noise_there_are_very_many_photons(seen):
    assert photons_of(seen, OPTICS.cutoff).values.max() > 1e4


def test_halves_add_up_and_have_independent_poisson_noise():
    rng = np.random.default_rng(0)
    mean = np.repeat([2.0, 20.0, 200.0], 60_000).reshape(3, 200, 300)
    photons = rng.poisson(mean).astype(np.float32)
    first, second = halves(photons)
    np.testing.assert_allclose(first + second, photons, atol=1e-4)
    assert min(first.min(), second.min()) >= 0
    for level in range(3):
        covariance = np.cov(first[level].ravel(), second[level].ravel()) / mean[level].mean()
        assert covariance[0, 0] == pytest.approx(0.5, rel=0.05)
        assert abs(covariance[0, 1]) < 0.02
