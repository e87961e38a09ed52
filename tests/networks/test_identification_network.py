"""The ResNet-18 that reads a blur: its size, its shapes, what it must not depend on."""

import itertools

import pytest
import torch

from napari_deepblur.networks.identification import IdentificationNetwork, Whitening, resnet18


def random_images(n, height, width, *, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 100 + 20 * torch.randn(n, height, width, generator=generator)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    network = IdentificationNetwork(7)
    with torch.no_grad():
        network(random_images(4, 64, 64))  # so that the running statistics are not the initial
    return network.eval()


def expected_parameters(n_outputs):
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
    return stem + stages + 512 * n_outputs + n_outputs


@pytest.mark.parametrize("n_outputs", [7, 64])
def test_parameter_count(n_outputs):
    # MONAI keeps a bias in the stem's convolution or not: the classic network has none.
    counted = sum(parameter.numel() for parameter in resnet18(n_outputs).parameters())
    assert counted == expected_parameters(n_outputs)
    assert counted == pytest.approx(11.17e6, rel=0.01)


def test_no_parameters_but_the_resnet(network):
    counted = sum(parameter.numel() for parameter in network.parameters())
    assert counted == expected_parameters(7)


@pytest.mark.parametrize(("height", "width"), [(128, 128), (129, 200), (333, 141)])
def test_any_size(network, height, width):
    with torch.no_grad():
        answer = network(random_images(2, height, width))
    assert answer.shape == (2, 7)
    assert answer.dtype == torch.float32
    assert bool(answer.isfinite().all())


def test_an_image_alone_equals_the_image_in_a_batch(network):
    images = random_images(3, 130, 150)
    images[1] *= 1000
    with torch.no_grad():
        together = network(images)
        for index in range(3):
            alone = network(images[index, None])
            torch.testing.assert_close(alone[0], together[index], rtol=0, atol=1e-5)


@pytest.mark.parametrize(("gain", "offset"), [(1e4, 0.0), (1e-4, 0.0), (3.0, -500.0), (0.02, 7.0)])
def test_gain_and_offset_do_not_matter(network, gain, offset):
    images = random_images(2, 128, 144)
    with torch.no_grad():
        before = network(images)
        after = network(gain * images + offset)
    assert float(before.std(0).max()) > 1e-3  # it does depend on the image
    torch.testing.assert_close(after, before, rtol=0, atol=1e-4)


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
        assert bool(network(torch.full((1, 128, 128), 5.0)).isfinite().all())
