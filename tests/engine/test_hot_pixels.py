"""Hot pixels are repaired, light that came through optics is not."""

import numpy as np
import pytest
import torch

from napari_deepblur.engine.hot_pixels import without_hot_pixels
from napari_deepblur.optics.pupil import Pupil


def noisy(shape=(40, 50), seed=0):
    return np.random.default_rng(seed).normal(100, 5, shape).astype(np.float32)


@pytest.mark.parametrize("place", [(20, 30), (0, 0), (0, 17), (39, 49), (12, 0)])
def test_a_hot_pixel_becomes_like_its_neighbours(place):
    clean = noisy()
    hot = clean.copy()
    hot[place] = 4000
    repaired = without_hot_pixels(hot)
    assert repaired[place] == pytest.approx(100, abs=10)
    repaired[place] = hot[place]
    np.testing.assert_array_equal(repaired, hot)


def test_it_becomes_their_mean():
    hot = noisy()
    hot[10, 10] = 4000
    around = (hot[9:12, 9:12].sum() - 4000) / 8
    assert without_hot_pixels(hot)[10, 10] == pytest.approx(around, rel=1e-5)


def test_noise_is_untouched_and_the_input_too():
    plane = noisy((300, 300))
    before = plane.copy()
    repaired = without_hot_pixels(plane)
    np.testing.assert_array_equal(repaired, before)
    repaired[:] = 0
    np.testing.assert_array_equal(plane, before)


@pytest.mark.parametrize("cutoff", [0.15, 0.25, 0.3, 0.35])
@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.5, 0.0), (0.5, 0.5), (0.2, 0.35)])
def test_a_bead_is_untouched(cutoff, shift):
    """Shifted by tilt: Noll 2 and 3 are 4 ρ cos θ / 2 waves per unit, thus Δ · cutoff / 2."""
    pupil = Pupil((2, 3), cutoff=cutoff)
    bead = pupil.psf(torch.tensor(shift) * cutoff / 2)
    assert torch.equal(without_hot_pixels(bead), bead)


def test_aberrated_beads_are_untouched():
    pupil = Pupil(range(4, 11), cutoff=0.35)
    generator = torch.Generator().manual_seed(0)
    beads = pupil.psf(0.3 * torch.rand(500, 7, generator=generator) - 0.15)
    assert torch.equal(without_hot_pixels(beads), beads)


def test_photons_on_a_black_ground_are_untouched():
    photons = np.random.default_rng(0).poisson(0.05, (256, 256)).astype(np.float32)
    assert (without_hot_pixels(photons) != photons).mean() < 1e-4


def test_a_hot_pixel_on_a_constant_plane():
    plane = np.full((30, 30), 7, np.float32)
    plane[3, 4] = 900
    np.testing.assert_allclose(without_hot_pixels(plane), 7)


def test_stacks_and_both_kinds_of_array():
    stack = np.stack([noisy(seed=seed) for seed in range(6)]).reshape(2, 3, 40, 50)
    stack[1, 2, 5, 5] = 4000
    repaired = without_hot_pixels(stack)
    assert isinstance(repaired, np.ndarray)
    assert repaired.dtype == np.float32
    assert repaired.shape == stack.shape
    np.testing.assert_array_equal(repaired[1, 2], without_hot_pixels(stack[1, 2]))
    tensor = without_hot_pixels(torch.from_numpy(stack))
    assert isinstance(tensor, torch.Tensor)
    np.testing.assert_array_equal(tensor.numpy(), repaired)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 2), (3, 1)])
def test_tiny_planes(shape):
    plane = np.ones(shape, np.float32)
    np.testing.assert_array_equal(without_hot_pixels(plane), plane)


def test_read_only_planes():
    plane = noisy()
    plane.flags.writeable = False
    np.testing.assert_array_equal(without_hot_pixels(plane), plane)
