"""PSFs and images of beads with known truth, quickly made."""

from __future__ import annotations

from functools import cache

import numpy as np

from napari_deepblur import calibrate
from napari_deepblur.calibration.fit.samples import PsfSamples
from napari_deepblur.samples.bead_field import BeadField, draw_bead_field

WINDOW = 21


def true_psfs(field_yx, *, stretch=1.0):
    """PSFs whose weights on three Gaussians change linearly over the field: (n, 21, 21)."""
    axis = np.arange(WINDOW) - WINDOW // 2
    bells = [np.exp(-(axis**2) / (2 * width**2)) for width in (1.2, 2.4)]
    narrow, wide = (bell / bell.sum() for bell in bells)
    shapes = np.stack(
        [np.outer(a, b) for a, b in ((narrow, narrow), (wide, narrow), (narrow, wide))]
    )
    y, x = np.asarray(field_yx).T
    tall, broad = stretch * (0.35 + 0.3 * y), stretch * (0.3 + 0.25 * x)
    return np.einsum("kn,kyx->nyx", np.stack([1 - tall - broad, tall, broad]), shapes)


def psf_samples(n, *, noise=0.0, seed=0, stretch=1.0):
    """Samples at random places, and their PSFs without noise."""
    rng = np.random.default_rng(seed)
    places = rng.uniform(-1, 1, (n, 2))
    true = true_psfs(places, stretch=stretch)
    noisy = true + noise * rng.standard_normal(true.shape)
    return PsfSamples(places, noisy.astype(np.float32), np.full(n, noise)), true


def error_db(found, true):
    """Relative squared error of PSFs, all together, dB."""
    return 10 * np.log10(np.square(found - true).sum() / np.square(true).sum())


@cache
def bead_field() -> BeadField:
    """A small bright field of 36 beads."""
    return draw_bead_field(shape=(320, 320), n_beads=36, peak_snr=80, crowded=0, seed=0, window=25)


@cache
def calibrated():
    """Its calibration."""
    return calibrate([bead_field().image], pixel_size_um=0.1, window=25, names=["slide.tif"])
