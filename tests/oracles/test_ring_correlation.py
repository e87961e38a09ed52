"""Rings of spectra: their power, and what two images share."""

import pytest
import torch
from ring_correlation import fourier_ring_correlation, radial_power


def test_power_lies_in_the_ring_of_a_wave():
    rows, columns = torch.meshgrid(torch.arange(120.0), torch.arange(80.0), indexing="ij")
    wave = torch.cos(2 * torch.pi * (0.2 * rows + 0.15 * columns))  # 0.25 cycles per pixel
    power = radial_power(5 + wave, n_rings=20)
    assert power.shape == (20,)
    # On the border of two rings; the window spreads it by one frequency.
    assert float(power[9:11].sum() / power.sum()) > 0.99


def test_of_an_image_with_itself_and_with_another():
    noise = torch.randn(3, 128, 96, generator=torch.Generator().manual_seed(0))
    same = fourier_ring_correlation(noise, 100 - 3 * noise)
    assert same.shape == (3, 32)
    torch.testing.assert_close(same, -torch.ones_like(same))
    other = fourier_ring_correlation(noise, noise.roll(1, 0))
    assert float(other[:, 8:].abs().max()) < 0.25


def test_of_two_noisy_exposures():
    """With noise of the signal's own power half of each ring is shared."""
    signal, first, second = torch.randn(3, 256, 256, generator=torch.Generator().manual_seed(0))
    found = fourier_ring_correlation(signal + first, signal + second, n_rings=8)
    assert float(found[1:].mean()) == pytest.approx(0.5, abs=0.03)
