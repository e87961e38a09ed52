"""Small z-stacks whose 3-D blur is known."""

from __future__ import annotations

import numpy as np
import torch

from napari_deepblur import Optics
from napari_deepblur.engine.volume.stack_optics import StackOptics

OPTICS = Optics(
    numerical_aperture=1.2, wavelength_um=0.52, pixel_size_um=0.1, refractive_index=1.333
)
Z_STEP_UM = 0.3
KNOWN = StackOptics(OPTICS, Z_STEP_UM)
GAMMA = np.array([0.08, -0.06, 0.07, 0.0, -0.05, 0.0, 0.1, 0, 0, 0, 0, 0], np.float32)


def points(shape, *, n=40, seed=0):
    """Points of different brightness, float32."""
    rng = np.random.default_rng(seed)
    sharp = np.zeros(shape, np.float32)
    sharp[tuple(rng.integers(0, side, n) for side in shape)] = rng.uniform(0.3, 1, n)
    return sharp


def blurred(sharp, *, known=KNOWN, gamma=GAMMA, margin=(4, 16, 16)):
    """What of a larger sample is seen, without noise: smaller by the margin on each side."""
    transfer = known.pupil(sharp.shape).transfer(torch.from_numpy(gamma))
    spectrum = torch.fft.rfftn(torch.from_numpy(sharp)) * transfer
    seen = torch.fft.irfftn(spectrum, s=sharp.shape)
    for dim, width in enumerate(margin):
        seen = seen.narrow(dim, width, sharp.shape[dim] - 2 * width)
    return seen.clamp_min(0).numpy()


def photographed(seen, *, photons=200, background=4.0, gain=1.0, offset=0.0, seed=0):
    """Counts of a camera: shot noise, gain and offset."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(seen / seen.max() * photons + background)
    return (gain * counts + offset).astype(np.float32)


def psf_snr(found, gamma, known=KNOWN, shape=(16, 64, 64)):
    """3-D PSF-SNR of two coefficient vectors, dB."""
    pupil = known.pupil(shape)
    one, other = (pupil.psf(torch.as_tensor(np.asarray(g, np.float32))) for g in (found, gamma))
    return float(-10 * torch.log10((one - other).square().sum() / other.square().sum()))
