"""Patches: the PSF as it is, centred, of sum 1, with the noise that they say."""

import numpy as np
import pytest

from napari_deepblur.calibration.beads import BeadScene, find_beads
from napari_deepblur.calibration.beads.cut import cut, cut_centred
from napari_deepblur.calibration.beads.patches import cut_patches
from napari_deepblur.samples.bead_field import draw_bead_field


def decibel(patches, truth):
    return -10 * np.log10(
        (np.square(patches - truth).sum((-2, -1)) / np.square(truth).sum((-2, -1))).mean()
    )


def used_beads(field):
    beads = find_beads(BeadScene.of(field.image))
    return beads[beads["status"] == "used"]


@pytest.fixture(scope="module")
def bright():
    field = draw_bead_field(shape=(700, 700), n_beads=60, peak_snr=1000, seed=1)
    beads = used_beads(field)
    patches, noise, _ = cut_patches(BeadScene.of(field.image), beads, window=31)
    return field.psf(beads[["y", "x"]].to_numpy()), patches, noise


@pytest.fixture(scope="module")
def dim():
    field = draw_bead_field(shape=(800, 800), n_beads=80, peak_snr=20, seed=2)
    beads = used_beads(field)
    patches, noise, _ = cut_patches(BeadScene.of(field.image), beads, window=31)
    return field.psf(beads[["y", "x"]].to_numpy()), patches, noise


def test_shapes_and_types(dim):
    truth, patches, noise = dim
    assert patches.shape == truth.shape
    assert noise.shape == truth.shape[:1]
    assert patches.dtype == noise.dtype == np.float32


def test_bright_beads_show_the_true_psf(bright):
    truth, patches, _ = bright
    assert decibel(patches, truth) > 28
    np.testing.assert_allclose(patches.sum((-2, -1)), 1, atol=0.06)


def test_dim_beads_show_it_with_the_stated_noise(dim):
    truth, patches, noise = dim
    beyond = np.ones((31, 31), bool)
    beyond[8:-8, 8:-8] = False
    measured = (patches - truth)[:, beyond].std(-1)
    np.testing.assert_allclose(np.median(noise / measured), 1, atol=0.06)
    assert decibel(patches.mean(0), truth.mean(0)) > 16


def test_brightness_of_dim_beads_is_told_better_than_by_their_sums(dim):
    """The plain sum over the window would be off by a fifth and more."""
    truth, patches, _ = dim
    scale = (patches * truth).sum((-2, -1)) / np.square(truth).sum((-2, -1))
    assert np.abs(scale - 1).mean() < 0.08
    assert patches.sum((-2, -1)).std() > 0.15


def test_moving_does_not_blur():
    """A band-limited bead moved by half a pixel keeps all its frequencies."""
    pixels = np.arange(61.0) - 30

    def bead(y, x):
        return np.outer(*(np.exp(-((pixels - c) ** 2) / 5) for c in (y, x))).astype(np.float32)

    patch = cut_centred(bead(0.5, -0.37), np.array([[30.5, 29.63]]), 31)[0]
    np.testing.assert_allclose(patch, bead(0, 0)[15:-15, 15:-15], atol=1e-5)


def test_moving_keeps_noise_white():
    noise = np.random.default_rng(0).normal(size=(400, 400)).astype(np.float32)
    places = np.random.default_rng(1).uniform(40, 360, (60, 2))
    patches = cut_centred(noise, places, 31)
    assert patches.std() == pytest.approx(1, abs=0.02)
    lag = (patches[:, 1:] * patches[:, :-1]).mean()
    assert abs(lag) < 0.02


def test_cutting_at_a_border_mirrors():
    image = np.arange(12, dtype=np.float32).reshape(3, 4)
    patch = cut(image, np.array([[0, 3]]), 3)[0]
    np.testing.assert_array_equal(patch, [[2, 3, 3], [2, 3, 3], [6, 7, 7]])
    assert cut(image, np.array([[1, 1]]), 31).shape == (1, 31, 31)


def test_neighbours_beyond_the_core_are_replaced():
    field = draw_bead_field(shape=(500, 500), n_beads=30, crowded=0, peak_snr=300, seed=4)
    beads = used_beads(field)
    alone, *_ = cut_patches(BeadScene.of(field.image), beads, window=31)
    row, column = beads[["y", "x"]].to_numpy()[5].round().astype(int)
    image = field.image.copy()
    visitor = np.exp(-(np.arange(-6.0, 7) ** 2) / 3)
    image[row - 6 : row + 7, column + 5 : column + 18] += 2000 * np.outer(visitor, visitor)
    visited, *_ = cut_patches(BeadScene.of(image), beads, window=31)
    assert np.abs(visited[5] - alone[5]).max() < 0.02 * alone[5].max()


def test_no_rows_no_patches():
    scene = BeadScene.of(np.zeros((50, 50)))
    patches, noise, _ = cut_patches(scene, find_beads(scene), window=9)
    assert patches.shape == (0, 9, 9)
    assert noise.shape == (0,)


def test_one_bead_is_enough():
    field = draw_bead_field(shape=(120, 120), n_beads=1, crowded=0, peak_snr=300, seed=8)
    beads = used_beads(field)
    patches, *_ = cut_patches(BeadScene.of(field.image), beads, window=31)
    assert decibel(patches, field.psf(beads[["y", "x"]].to_numpy())) > 20
    assert patches.sum() == pytest.approx(1, abs=0.05)


def test_window_may_be_smaller_than_at_finding():
    field = draw_bead_field(shape=(300, 300), n_beads=16, peak_snr=100, seed=1)
    patches, *_ = cut_patches(BeadScene.of(field.image), used_beads(field), window=11)
    assert patches.shape[1:] == (11, 11)
    np.testing.assert_allclose(patches.sum((-2, -1)), 1, atol=0.15)
