"""Bead fields: their PSF is what they say, and the image shows it."""

import numpy as np
import pytest
import torch

from napari_deepblur.calibration.beads.centre import centres
from napari_deepblur.optics.pupil import Pupil
from napari_deepblur.samples.bead_field import draw_bead_field
from napari_deepblur.samples.drawing import moved as move

SHAPE = (320, 400)


@pytest.fixture(scope="module")
def field():
    return draw_bead_field(shape=SHAPE, n_beads=30, share_bad=0.2, seed=3)


@pytest.fixture(scope="module")
def places():
    return np.random.default_rng(0).uniform(0, np.array(SHAPE) - 1, (50, 2))


@pytest.mark.parametrize("n_eigen_psfs", [1, 4, 6])
def test_psfs_span_exactly_k_dimensions_and_sum_to_one(places, n_eigen_psfs):
    field = draw_bead_field(shape=SHAPE, n_beads=2, n_eigen_psfs=n_eigen_psfs)
    psfs = field.psf(places).reshape(len(places), -1)
    np.testing.assert_allclose(psfs.sum(-1), 1, atol=1e-12)
    values = np.linalg.svd(psfs, compute_uv=False)
    assert values[n_eigen_psfs - 1] > 1e-4 * values[0]
    assert values[n_eigen_psfs] < 1e-12 * values[0]
    assert field.eigen_psfs.shape == (n_eigen_psfs, 31, 31)


def test_psf_changes_over_the_field(field, places):
    psfs = field.psf(places)
    strength = np.square(psfs).sum((-2, -1))
    change = np.square(psfs - psfs.mean(0)).sum((-2, -1))
    assert 0.01 < (change / strength).mean() < 0.2


def test_one_psf_and_many_are_the_same(field, places):
    np.testing.assert_allclose(field.psf(tuple(places[7])), field.psf(places)[7])
    assert field.weights(places.reshape(5, 10, 2)).shape == (5, 10, 4)
    assert field.psf(places[:0]).shape == (0, 31, 31)


def test_psfs_are_centred(field, places):
    assert np.abs(centres(field.psf(places), 1.0)).max() < 0.01


def test_moving_a_bead_is_as_exact_as_computing_it_there():
    """Noll 2 and 3 tilt the pupil: c waves move the PSF by -2 c / cutoff pixels."""
    coefficients = torch.tensor([[0, 0, 0.05, -0.05, 0.06], [0.05, -0.025, 0.05, -0.05, 0.06]])
    still, moved = Pupil((2, 3, 4, 6, 7), window=63).psf(coefficients).double().numpy()
    inner = (slice(16, -16), slice(16, -16))
    difference = move(still, np.array([0.2, -0.4]))[inner] - moved[inner]
    assert np.abs(difference).max() < 3e-5 * moved.max()


def test_image_shows_the_psf_at_the_bead():
    field = draw_bead_field(shape=(96, 96), n_beads=1, crowded=0, peak_snr=1e4, seed=5)
    pixel = field.positions[0].round().astype(int)
    rows, columns = (slice(i - 10, i + 11) for i in pixel)
    patch = field.image[rows, columns] - 500.0
    offset = centres(patch[None], 1.0)[0]
    np.testing.assert_allclose(offset, field.positions[0] - pixel, atol=0.01)
    psf = move(field.psf(field.positions[0]), field.positions[0] - pixel)[5:-5, 5:-5]
    scale = (patch * psf).sum() / np.square(psf).sum()
    assert np.linalg.norm(patch - scale * psf) < 0.01 * np.linalg.norm(patch)


def test_brightness_of_the_median_bead():
    field = draw_bead_field(shape=(1024, 1024), n_beads=100, crowded=0, peak_snr=50)
    background = np.percentile(field.image, [16, 50, 84])
    noise = (background[2] - background[0]) / 2
    pixels = field.positions.round().astype(int)
    peaks = field.image[pixels[:, 0], pixels[:, 1]] - background[1]
    assert 0.75 < np.median(peaks) / (50 * noise) < 1.1
    assert noise == pytest.approx(np.sqrt(500), rel=0.1)


def test_bad_ones_are_of_all_kinds(field):
    names, counts = np.unique(field.kinds, return_counts=True)
    assert dict(zip(names, counts, strict=True)) == {
        "bead": 24,
        "debris": 1,
        "doublet": 2,
        "hot pixel": 1,
        "saturated": 2,
    }
    assert field.bad.sum() == 6
    assert np.count_nonzero(field.image == field.image.max()) > 4


def test_isolated_means_nothing_else_in_the_window(field):
    for index, position in enumerate(field.positions):
        others = np.delete(field.positions, index, axis=0)
        alone = np.hypot(*(others - position).T).min() >= 31
        border = min(position.min(), (np.array(SHAPE) - 1 - position).min())
        assert field.isolated[index] == (alone and border >= 16)
    assert 0.4 < field.isolated.mean() < 1


def test_same_seed_same_field(field):
    again = draw_bead_field(shape=SHAPE, n_beads=30, share_bad=0.2, seed=3)
    np.testing.assert_array_equal(again.image, field.image)
    other = draw_bead_field(shape=SHAPE, n_beads=30, share_bad=0.2, seed=4)
    assert not np.array_equal(other.positions, field.positions)


def test_too_many_beads_are_refused():
    with pytest.raises(ValueError, match="beads .* do not fit in"):
        draw_bead_field(shape=(64, 64), n_beads=100)
