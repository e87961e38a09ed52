"""The learned proximal operator: identity at first, any size, noise level heard."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_deepblur.networks import proximal
from napari_deepblur.networks.proximal import ProximalNetwork


def cleaned(network, image, noise_level):
    """What the network makes of an image of a noise level."""
    return network(image, network.hear(noise_level))


def trained_like(**arguments):
    """A network that is no longer the identity."""
    torch.manual_seed(0)
    network = ProximalNetwork(n_channels=8, n_layers=3, **arguments)
    with torch.no_grad():
        network.layers[-1].weight.normal_(std=0.1)
    return network


@given(height=st.integers(3, 40), width=st.integers(3, 40), unshuffle=st.sampled_from([1, 2, 3, 4]))
@settings(deadline=None, max_examples=30)
def test_starts_as_the_identity_for_any_size(height, width, unshuffle):
    network = ProximalNetwork(n_channels=4, n_layers=2, unshuffle=unshuffle)
    image = torch.randn(2, height, width)
    assert torch.equal(cleaned(network, image, torch.tensor([0.1, 0.0])), image)


@pytest.mark.parametrize(("height", "width"), [(16, 16), (17, 16), (23, 31)])
def test_shape_is_kept_when_it_changes_the_image(height, width):
    image = torch.randn(2, height, width)
    changed = cleaned(trained_like(), image, torch.tensor([0.1, 0.2]))
    assert changed.shape == image.shape
    assert not torch.allclose(changed, image, atol=1e-3)


def test_noise_level_matters_and_belongs_to_its_image():
    network = trained_like()
    image = torch.randn(1, 16, 16).expand(2, -1, -1)
    low, high = cleaned(network, image, torch.tensor([0.0, 0.5])).detach()
    assert float((low - high).abs().max()) > 1e-4
    (alone,) = cleaned(network, image[:1], torch.tensor([0.5])).detach()
    torch.testing.assert_close(alone, high)


def test_first_step_of_training_moves_it():
    network = ProximalNetwork(n_channels=4, n_layers=2)
    image = torch.randn(1, 16, 16)
    cleaned(network, image, torch.zeros(1)).square().mean().backward()
    assert float(network.layers[-1].weight.grad.abs().max()) > 0


def test_a_map_of_equal_levels_is_the_level():
    network = trained_like()
    image = torch.rand(2, 17, 23)
    levels = torch.tensor([0.01, 0.1])
    one = cleaned(network, image, levels)
    each = cleaned(network, image, levels[:, None, None].expand(2, 17, 23))
    torch.testing.assert_close(each, one)


def test_a_map_is_heard_place_by_place():
    network = trained_like()
    image = torch.rand(1, 64, 64)
    split = torch.full((1, 64, 64), 0.01)
    split[..., 32:] = 0.1
    found = cleaned(network, image, split)
    quiet, loud = (cleaned(network, image, torch.tensor([level])) for level in (0.01, 0.1))
    # Four convolutions of 2 × 2 blocks reach eight pixels.
    torch.testing.assert_close(found[..., :24], quiet[..., :24])
    torch.testing.assert_close(found[..., 40:], loud[..., 40:])
    assert (quiet - loud).abs().max() > 1e-3


def test_bands_of_rows_make_the_whole(monkeypatch):
    network = trained_like()
    image, levels = torch.rand(2, 57, 40), torch.rand(2, 57, 40)
    with torch.no_grad():
        whole = cleaned(network, image, levels)
        monkeypatch.setattr(proximal, "_BAND", 256)
        torch.testing.assert_close(cleaned(network, image, levels), whole)


def test_units_that_never_fire_can_be_left_out():
    network = trained_like()
    with torch.no_grad():
        network.layers[0].bias[1::2] = -100
        network.layers[2].bias[:5] = -100
    image, level = torch.rand(2, 17, 23), torch.tensor([0.01, 0.1])
    whole = cleaned(network, image, level)
    network.keep_units([[0, 2, 4, 6], [5, 6, 7]])
    torch.testing.assert_close(cleaned(network, image, level), whole)
    assert [layer.out_channels for layer in network.layers[::2]] == [4, 3, 4]
    network.keep_units([[0, 1, 2], [0, 1, 2]])
    assert (cleaned(network, image, level) - whole).abs().max() > 1e-3
