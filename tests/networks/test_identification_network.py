"""The ResNet-18 that reads a blur: its size, its shapes, what it must not depend on."""

import itertools

import pytest
import torch

from napari_deepblur.networks.encoder import Whitening
from napari_deepblur.networks.identification import IdentificationNetwork
from napari_deepblur.networks.resnet import ResNet18
from napari_deepblur.operators import EigenPsfSpace, ZernikeFamily


def random_images(n, height, width, *, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 100 + 20 * torch.randn(n, height, width, generator=generator)


def space_of(*noll_indices):
    return EigenPsfSpace.empty(ZernikeFamily(noll_indices), n_eigen_psfs=7)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    network = IdentificationNetwork(space_of(4, 5, 6), n_hidden=32)
    torch.nn.init.normal_(network.head.correction[-1].weight, std=0.1)
    with torch.no_grad():
        network(random_images(8, 64, 64)[:, None])  # statistics that are not the initial ones
    return network.eval()


def expected_parameters():
    """Counted by hand from He et al. (2016), table 1; batch norms have two per channel."""

    def basic_block(n_in, n_out):
        convolutions = 9 * n_in * n_out + 9 * n_out * n_out
        shortcut = n_in * n_out + 2 * n_out if n_in != n_out else 0
        return convolutions + 2 * 2 * n_out + shortcut

    stem = 7 * 7 * 1 * 64 + 2 * 64
    widths = [64, 64, 128, 256, 512]
    stages = sum(
        basic_block(n_in, n_out) + basic_block(n_out, n_out)
        for n_in, n_out in itertools.pairwise(widths)
    )
    return stem + stages


def test_parameter_count():
    counted = sum(parameter.numel() for parameter in ResNet18().parameters())
    assert counted == expected_parameters()
    assert counted == pytest.approx(11.17e6, rel=0.01)


@pytest.mark.parametrize(("height", "width"), [(128, 128), (129, 200), (333, 141)])
def test_any_size(network, height, width):
    with torch.no_grad():
        prediction = network(random_images(2, height, width)[:, None])
    shapes = [tuple(part.shape) for part in prediction]
    assert shapes == [(2, 7), (2,), (2, 3)]
    assert all(part.dtype == torch.float32 and part.isfinite().all() for part in prediction)


def test_an_image_alone_equals_the_image_in_a_batch(network):
    images = random_images(3, 130, 150)[:, None]
    images[1] *= 1000
    with torch.no_grad():
        together = network(images)
        for index in range(3):
            for alone, row in zip(network(images[index, None]), together, strict=True):
                torch.testing.assert_close(alone[0], row[index], rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("gain", "offset"), [(1e4, 0.0), (1e-25, 0.0), (1e25, 0.0), (3.0, -500.0), (0.02, 7.0)]
)
def test_gain_and_offset_do_not_matter(network, gain, offset):
    images = random_images(4, 128, 144).view(2, 2, 128, 144)
    with torch.no_grad():
        before = network(images)
        after = network(gain * images + offset)
    assert float(before.coordinates.std(0).max()) > 1e-3  # it does depend on the image
    for old, new in zip(before, after, strict=True):
        torch.testing.assert_close(new, old, rtol=0, atol=1e-3)


def test_descriptions_are_additive(network):
    """Tiles may be described in any parts; their mean is the whole's description."""
    tiles = random_images(5, 96, 96)[None] * torch.arange(1, 6)[:, None, None]
    with torch.no_grad():
        whole = network.encode(tiles)
        standard = network.standardise(tiles)[0]
        parts = [network.encode_each(part) for part in standard.split(2)]
    assert whole.shape == (1, network.n_features)
    torch.testing.assert_close(torch.cat(parts).mean(0, keepdim=True), whole, rtol=1e-3, atol=1e-4)


def test_the_head_begins_with_the_resnets_answer():
    torch.manual_seed(1)
    network = IdentificationNetwork(space_of(4), n_hidden=32).eval()
    images = random_images(2, 96, 96)
    with torch.no_grad():
        alone = network.predict_by_resnet(network.standardise(images[:, None])[:, 0])
        torch.testing.assert_close(network(images[:, None]).coordinates, alone)


def test_errors_do_not_bend_what_they_are_errors_of(network):
    description = torch.rand(4, network.n_features)
    network.head(description).log_std.sum().backward()
    with_gradient = {
        name.split(".")[0] for name, p in network.head.named_parameters() if p.grad is not None
    }
    assert with_gradient == {"log_std"}


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_whitened_images_have_unit_variance_and_no_mean(exponent):
    white = Whitening(exponent=exponent)(random_images(3, 96, 130).cumsum(-1))
    assert white.shape == (3, 96, 130)
    torch.testing.assert_close(white.std((-2, -1)), torch.ones(3))
    if exponent > 0:
        torch.testing.assert_close(white.mean((-2, -1)), torch.zeros(3), rtol=0, atol=1e-5)


def test_whitening_cuts_what_is_noise_only():
    white = Whitening(highest_frequency=0.25)(random_images(1, 128, 128))
    spectrum = torch.fft.rfft2(white).abs()[0]
    radius = torch.hypot(torch.fft.fftfreq(128)[:, None], torch.fft.rfftfreq(128))
    assert float(spectrum[radius > 0.26].max()) < 1e-4 * float(spectrum.max())


def test_whitening_flattens_a_falling_spectrum():
    generator = torch.Generator().manual_seed(0)
    radius = torch.hypot(torch.fft.fftfreq(256)[:, None], torch.fft.rfftfreq(256))
    noise = torch.fft.rfft2(torch.randn(1, 256, 256, generator=generator))
    pink = torch.fft.irfft2(noise / radius.clamp_min(1 / 256))
    power = torch.fft.rfft2(Whitening()(pink)).abs().square()[0]
    low = power[(radius > 0.05) & (radius < 0.15)].mean()
    high = power[(radius > 0.35) & (radius < 0.45)].mean()
    assert float(low / high) == pytest.approx(1, abs=0.25)


def test_a_constant_image_gives_numbers_not_nan(network):
    with torch.no_grad():
        prediction = network(torch.full((1, 1, 128, 128), 5.0))
    assert all(bool(part.isfinite().all()) for part in prediction)
