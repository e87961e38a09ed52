"""Figures of merit beside those of scikit-image."""

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from napari_deepblur.engine.metrics import psf_snr, psnr, ssim


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
