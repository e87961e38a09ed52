"""Synthesis: the blur is a convolution, the noise as strong as asked."""

import numpy as np
import pytest
import torch
from scipy.signal import convolve2d

from napari_deepblur.operators import ZernikeFamily
from napari_deepblur.training.synthesis import add_noise, draw_noise_levels, observe


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_observe_is_the_convolution_of_each_scene_with_its_blur():
    family = ZernikeFamily()
    psf = family.psf(family.admissible_set.sample(2, seed=0))
    sharp = torch.rand(2, 60, 70, generator=generator())
    image = observe(sharp, psf)
    assert image.shape == (2, 30, 40)
    for index in range(2):
        expected = convolve2d(sharp[index].numpy(), psf[index].numpy(), mode="valid")
        np.testing.assert_allclose(image[index].numpy(), expected, atol=1e-5)


def test_noise_is_as_strong_as_asked():
    clean = 30 * torch.rand(4, 128, 128, generator=generator()).square()
    levels = torch.tensor([0.0, 0.01, 0.05, 0.1])
    noise = add_noise(clean, levels, generator(1)) - clean
    expected = levels * clean.amax((-2, -1))
    measured = noise.square().mean((-2, -1)).sqrt()
    torch.testing.assert_close(measured, expected, rtol=0.05, atol=1e-6)
    assert float(noise.mean().abs()) < 0.02


def test_part_of_the_noise_is_shot_noise():
    clean = torch.zeros(40, 64, 64)
    clean[..., 32:] = 1
    noise = add_noise(clean, torch.full((40,), 0.1), generator())
    bright = noise[..., 32:].std((-2, -1))
    dark = noise[..., :32].std((-2, -1))
    assert float((bright / dark).median()) > 1.2
    assert float((bright / dark).min()) > 0.9


def test_noise_levels():
    levels = draw_noise_levels(5000, 0.1, generator())
    assert float((levels == 0).float().mean()) == pytest.approx(0.2, abs=0.03)
    assert float(levels.max()) <= 0.1
    positive = levels[levels > 0]
    assert float(positive.min()) >= 0.1 / 50 * 0.99
    # Log-uniform: as many below the geometric mean as above.
    middle = 0.1 / 50**0.5
    assert float((positive < middle).float().mean()) == pytest.approx(0.5, abs=0.04)


def test_no_noise_at_all():
    assert float(draw_noise_levels(50, 0.0, generator()).abs().max()) == 0


def test_an_empty_scene_gives_numbers():
    noisy = add_noise(torch.zeros(2, 16, 16), torch.tensor([0.1, 0.0]), generator())
    assert bool(noisy.isfinite().all())
