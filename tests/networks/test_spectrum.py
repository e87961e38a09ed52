"""The power spectrum: levels, gain, where noise is measured, what it tells of an OTF."""

import pytest
import torch

from napari_deepblur.networks.spectrum import PowerSpectrum, log_signal
from napari_deepblur.operators import ZernikeFamily
from napari_deepblur.training.data.synthesis import observe


def noise(n, side, *, seed=0):
    return torch.randn(n, side, side, generator=torch.Generator().manual_seed(seed))


def parts_of(spectrum, image, *, band=0.5):
    sizes = (1, 1, spectrum.n_bins)
    return spectrum(image, band=band).split(sizes, 1)


def test_white_noise_is_flat_and_all_noise():
    spectrum = PowerSpectrum()
    level, total, power = parts_of(spectrum, 3 * noise(4, 512))
    # Parseval: the mean power of a bin is variance times the window's energy.
    expected = 9 * float(spectrum.hann.square().sum())
    for values in (level, total):
        torch.testing.assert_close(values, torch.full_like(values, expected), rtol=0.05, atol=0.0)
    away_from_zero = spectrum.frequency[spectrum.inside].norm(dim=-1) > 0.1
    assert float((power[:, away_from_zero].mean(0) / expected - 1).abs().max()) < 0.15
    _, share = log_signal(level, total, power)
    assert float(share[:, away_from_zero].mean()) < 0.1


def test_it_shows_the_otf():
    """Of white scenes the signal's spectrum is |OTF|², up to the window's smearing."""
    family = ZernikeFamily()
    gamma = torch.tensor([[0.0, 0, 0, 0, 0, 0, 0], [0.1, 0.1, 0, 0.1, 0, 0, 0]])
    psf = family.psf(gamma)
    image = observe(noise(2, 1024, seed=1).expand(2, -1, -1), psf)
    spectrum = PowerSpectrum()
    level, total, power = parts_of(spectrum, image)
    signal, _ = log_signal(level, total, power)
    otf = torch.fft.rfft2(psf, s=(32, 32)).abs().square().flatten(1)[:, spectrum.inside]
    radius = spectrum.frequency[spectrum.inside].norm(dim=-1)
    middle = (radius > 0.1) & (radius < 0.35)
    expected = (otf[1] / otf[0]).log()[middle]
    seen = (signal[1] - signal[0] + (total[1] / total[0]).log())[middle]
    correlation = torch.corrcoef(torch.stack([expected, seen]))[0, 1]
    assert float(correlation) > 0.97


@pytest.mark.parametrize("band", [0.5, 0.36, 0.4])
def test_noise_is_measured_where_the_camera_sampled(band):
    spectrum = PowerSpectrum()
    image = noise(1, 256)
    height, width = image.shape[-2:]
    transformed = torch.fft.rfft2(image)
    sampled = (torch.fft.fftfreq(height).abs()[:, None] <= band) & (
        torch.fft.rfftfreq(width) <= band
    )
    limited = torch.fft.irfft2(transformed * sampled, s=(height, width))
    level = parts_of(spectrum, limited, band=band)[0]
    expected = float(spectrum.hann.square().sum())
    assert float(level) == pytest.approx(expected, rel=0.2)
