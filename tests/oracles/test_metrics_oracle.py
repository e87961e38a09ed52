"""Figures of merit beside those of scikit-image."""

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from napari_deepblur.engine.metrics import (
    fourier_ring_correlation,
    psf_snr,
    psnr,
    radial_power,
    ssim,
)


def test_psnr_is_that_of_scikit_image():
    generator = torch.Generator().manual_seed(0)
    true = 40 * torch.rand(3, 20, 30, generator=generator)
    estimated = true + torch.randn(3, 20, 30, generator=generator)
    for index in range(3):
        peak = float(true[index].max() - true[index].min())
        expected = peak_signal_noise_ratio(
            true[index].numpy(), estimated[index].numpy(), data_range=peak
        )
        assert float(psnr(estimated, true)[index]) == pytest.approx(expected, abs=1e-4)


def test_psf_snr_by_hand():
    true = torch.zeros(3, 3)
    true[1, 1] = 1
    estimated = true.clone()
    estimated[1, 1], estimated[0, 0] = 0.9, 0.1
    assert float(psf_snr(estimated, true)) == pytest.approx(-10 * np.log10(0.02), abs=1e-4)
    assert psf_snr(torch.rand(2, 5, 3, 3), torch.rand(2, 5, 3, 3)).shape == (2, 5)


def test_ssim_is_that_of_scikit_image():
    generator = torch.Generator().manual_seed(0)
    true = 40 * torch.rand(2, 3, 20, 30, generator=generator)
    estimated = true + 5 * torch.randn(2, 3, 20, 30, generator=generator)
    found = ssim(estimated, true)
    assert found.shape == (2, 3)
    one, other = true[1, 2].numpy(), estimated[1, 2].numpy()
    expected = structural_similarity(one, other, data_range=float(np.ptp(one)))
    assert float(found[1, 2]) == pytest.approx(expected, abs=1e-6)
    assert float(ssim(true[0, 0], true[0, 0])) == pytest.approx(1)


class TestRings:
    def test_power_lies_in_the_ring_of_a_wave(self):
        rows, columns = torch.meshgrid(torch.arange(120.0), torch.arange(80.0), indexing="ij")
        wave = torch.cos(2 * torch.pi * (0.2 * rows + 0.15 * columns))  # 0.25 cycles per pixel
        power = radial_power(5 + wave, n_rings=20)
        assert power.shape == (20,)
        # On the border of two rings; the window spreads it by one frequency.
        assert float(power[9:11].sum() / power.sum()) > 0.99

    def test_of_an_image_with_itself_and_with_another(self):
        noise = torch.randn(3, 128, 96, generator=torch.Generator().manual_seed(0))
        same = fourier_ring_correlation(noise, 100 - 3 * noise)
        assert same.shape == (3, 32)
        torch.testing.assert_close(same, -torch.ones_like(same))
        other = fourier_ring_correlation(noise, noise.roll(1, 0))
        assert float(other[:, 8:].abs().max()) < 0.25

    def test_of_two_noisy_exposures(self):
        """With noise of the signal's own power half of each ring is shared."""
        signal, first, second = torch.randn(3, 256, 256, generator=torch.Generator().manual_seed(0))
        found = fourier_ring_correlation(signal + first, signal + second, n_rings=8)
        assert float(found[1:].mean()) == pytest.approx(0.5, abs=0.03)
