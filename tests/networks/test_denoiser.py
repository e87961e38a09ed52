"""The shared denoiser: identity at first, any size, the noise heard pixel by pixel."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_deepblur.networks.denoiser import Denoiser

SMALL = {"n_channels": 4, "n_scales": 2}


def trained_like():
    """A network that is no longer the identity."""
    torch.manual_seed(0)
    network = Denoiser(**SMALL)
    with torch.no_grad():
        network.last.weight.normal_(std=0.3)
    return network.eval()


@given(height=st.integers(3, 40), width=st.integers(3, 40), unshuffle=st.sampled_from([1, 2, 3]))
@settings(deadline=None, max_examples=20)
def test_starts_as_the_identity_for_any_size(height, width, unshuffle):
    network = Denoiser(**SMALL, unshuffle=unshuffle)
    image = torch.randn(2, height, width)
    assert torch.equal(network(image, torch.tensor([0.1, 0.0])), image)


@pytest.mark.parametrize(("height", "width"), [(16, 16), (17, 16), (23, 31)])
def test_shape_is_kept_when_it_changes_the_image(height, width):
    image = torch.randn(2, height, width)
    cleaned = trained_like()(image, torch.tensor([0.1, 0.2]))
    assert cleaned.shape == image.shape
    assert not torch.allclose(cleaned, image, atol=1e-3)


def test_one_level_is_a_map_that_is_the_same_everywhere():
    network, image = trained_like(), torch.randn(2, 20, 24)
    level = torch.tensor([0.05, 0.3])
    level_map = level[:, None, None].expand_as(image)
    torch.testing.assert_close(network(image, level), network(image, level_map))


def test_noise_in_one_corner_is_removed_there():
    network, image = trained_like(), torch.randn(1, 64, 64)
    quiet = torch.full_like(image, 0.01)
    loud = quiet.clone()
    loud[..., :16, :16] = 0.5
    change = (network(image, loud) - network(image, quiet)).abs().detach()[0]
    assert float(change[:16, :16].max()) > 0.01
    # Beyond the reach of the convolutions the rest of the field does not notice.
    assert float(change[-16:, -16:].max()) < 1e-6


def test_every_parameter_is_trained():
    network = trained_like().train()
    network(torch.randn(1, 16, 16), torch.tensor([0.1])).square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert math.isfinite(float(parameter.grad.abs().sum())), name
        assert float(parameter.grad.abs().max()) > 0, name
