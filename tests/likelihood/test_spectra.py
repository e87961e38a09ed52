"""Welch spectra of regions, and the leakage between their bins."""

import pytest
import torch
from torch import fft
from torch.nn import functional

from napari_deepblur.likelihood.spectra import Leakage, RegionSpectra, region_spectra, welch


def white(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_white_noise_has_the_power_of_its_variance_in_every_bin():
    power = welch(3 * white(800, 900), 32)
    assert power.shape == (32, 17)
    inside = power[3:-3, 3:]  # each window's mean was taken off
    torch.testing.assert_close(inside, torch.full_like(inside, 9.0), rtol=0.25, atol=0)
    assert float(inside.mean()) == pytest.approx(9, rel=0.02)


def test_leakage_is_the_product_with_the_windows_autocorrelation():
    window, grid = 16, 32
    power = white(3, grid, grid, seed=1).exp()
    power = power + power.flip(-1, -2).roll((1, 1), (-1, -2))  # that of a real image
    half = power[..., : window + 1]
    hann = functional.pad(torch.hann_window(window, dtype=torch.float64), (0, window))
    autocorrelation = fft.irfft(fft.rfft(hann).abs().square(), n=grid)
    weight = torch.outer(autocorrelation, autocorrelation) / autocorrelation[0] ** 2
    expected = fft.rfft2(fft.irfft2(half.double(), s=(grid, grid)) * weight).real[:, ::2, ::2]
    torch.testing.assert_close(Leakage(window)(half).double(), expected, rtol=1e-5, atol=1e-5)


def test_a_large_image_has_several_regions():
    image = white(300, 500)
    assert len(region_spectra(image, side=400)) == 1
    spectra = region_spectra(image, side=150)
    assert len(spectra) == 6
    assert spectra.power.shape == (6, 64, 33)
    assert float(spectra.n_windows.sum()) == pytest.approx(300 * 500 / 64**2, rel=1e-6)
    both = RegionSpectra.joined([spectra, region_spectra(image, side=400)])
    assert len(both) == 7


def test_an_image_smaller_than_a_window_has_no_region():
    small = region_spectra(white(63, 200), side=100)
    assert len(small) == 0
    large = region_spectra(white(128, 128), side=128)
    assert len(RegionSpectra.joined([small, large])) == 1


def test_the_corners_tell_the_noise_whatever_the_signal():
    y, x = torch.meshgrid(torch.arange(256.0), torch.arange(256.0), indexing="ij")
    signal = 100 * (torch.sin(0.3 * x) + torch.cos(0.4 * y))
    quiet = region_spectra(signal + white(256, 256), side=256)
    unit = (signal + white(256, 256)).std()
    assert float(quiet.noise[0] * unit**2) == pytest.approx(1, rel=0.1)


def test_gain_and_offset_change_nothing():
    image = white(128, 128)
    one, other = region_spectra(image, side=128), region_spectra(5 * image + 100, side=128)
    torch.testing.assert_close(one.power, other.power, rtol=1e-3, atol=1e-4)
