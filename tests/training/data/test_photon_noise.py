"""Photon noise: as strong as asked, brighter where there is light, and told as an estimate."""

import pytest
import torch

from napari_deepblur.training.data.photon_noise import add_photon_noise


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def halves(n, dark=0.1, bright=1.0):
    """Images whose left half is dark."""
    image = torch.full((n, 128, 128), bright)
    image[..., :64] = dark
    return image


@pytest.mark.parametrize("level", [0.01, 0.1, 0.3])
def test_root_mean_square_is_as_asked(level):
    clean = 3 * halves(32)
    noisy, _ = add_photon_noise(clean, torch.full((32,), level), generator())
    noise = (noisy - clean).square().mean((-2, -1)).sqrt()
    torch.testing.assert_close(noise, torch.full((32,), 3 * level), rtol=0.1, atol=0)


def test_from_camera_noise_alone_to_shot_noise_alone():
    clean = halves(64)
    noisy, _ = add_photon_noise(clean, torch.full((64,), 0.05), generator())
    variance = (noisy - clean).square()
    ratio = variance[..., 64:].mean((-2, -1)) / variance[..., :64].mean((-2, -1))
    assert float(ratio.min()) == pytest.approx(1, rel=0.1)
    assert float(ratio.max()) == pytest.approx(10, rel=0.1)


def test_single_photons_are_counted():
    clean = torch.full((48, 64, 64), 0.5)
    noisy, _ = add_photon_noise(clean, torch.full((48,), 1.0), generator())
    n_values = torch.tensor([len(image.unique()) for image in noisy])
    assert int(n_values.min()) < 20  # shot noise alone
    assert int(n_values.max()) > 1000  # with camera noise


def test_the_map_is_the_deviation_up_to_the_error_of_an_estimate():
    clean = halves(32)
    noisy, deviation = add_photon_noise(clean, torch.full((32,), 0.05), generator())
    squared = (noisy - clean).square()
    for half in (slice(4, 60), slice(68, 124)):
        true = squared[..., half].mean((-2, -1)).sqrt()
        told = deviation[..., half].mean((-2, -1))
        assert float((told / true).max()) < 1.35
        assert float((told / true).min()) > 0.8


def test_uneven_noise_has_a_map_that_shows_it():
    clean = torch.full((16, 96, 96), 0.5)
    level = torch.full((16,), 0.05)
    even = add_photon_noise(clean, level, generator()).deviation
    uneven = add_photon_noise(clean, level, generator(), uneven=1.0).deviation
    spread = [part.amax((-2, -1)) / part.amin((-2, -1)) for part in (even, uneven)]
    assert float(spread[1].median()) > 1.5 * float(spread[0].median())


def test_no_noise_leaves_the_image():
    clean = halves(4)
    noisy, deviation = add_photon_noise(clean, torch.zeros(4), generator())
    torch.testing.assert_close(noisy, clean)
    assert float(deviation.max()) < 1e-3
