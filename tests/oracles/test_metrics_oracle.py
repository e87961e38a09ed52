"""Figures of merit beside those of scikit-image."""

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

from napari_deepblur.engine.metrics import psf_snr, psnr


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
