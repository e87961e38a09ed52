import numpy as np
import pytest

from helpers.bead_images import psf_samples, true_psfs
from napari_deepblur.calibration.fit.cross_validation import (
    MOST_EIGEN_PSFS,
    PredictionErrors,
    combine,
    fold_errors,
    n_folds,
    pooled,
)
from napari_deepblur.calibration.fit.samples import PsfSamples


def cross_validated(parts):
    folds = [fold_errors(parts, parts, fold) for fold in range(n_folds(parts))]
    return combine(parts, parts, folds)


def test_noise_apart_the_error_is_that_of_the_prediction():
    samples, true = psf_samples(150, noise=0.003)
    (found,) = cross_validated([samples])
    assert not np.isnan(found.error).any()
    core = found.energy.mean() / np.square(true).sum((1, 2)).mean()
    assert 0.97 < core <= 1.01
    assert found.total_db[2] < -25 < -20 < found.total_db[0]
    # The noise itself is as strong as −15 dB over the core.
    assert samples.noise_energy.mean() / 5 > 0.02 * found.energy.mean()
    assert found.n_worthwhile() == 3


def test_errors_are_those_of_a_model_without_the_psfs():
    samples, _ = psf_samples(40)
    odd = samples.psfs.copy()
    odd[7] = np.roll(odd[7], 3, axis=1)
    (found,) = cross_validated([PsfSamples(samples.field_yx, odd, samples.noise)])
    assert np.argmax(found.each_db[:, 2]) == 7
    assert found.each_db[7, 2] > -6


def test_a_field_that_does_not_vary_needs_one():
    samples, _ = psf_samples(80, noise=0.004, stretch=0)
    assert cross_validated([samples])[0].n_worthwhile() == 1


def test_brightness_is_free():
    samples, _ = psf_samples(30)
    factors = np.where(np.arange(30) % 2, 0.5, 2.0)[:, None, None]
    brighter = PsfSamples(
        samples.field_yx, (samples.psfs * factors).astype(np.float32), samples.noise
    )
    fits = PsfSamples(samples.field_yx, samples.psfs, samples.noise)
    folds = [fold_errors([brighter], [fits], fold) for fold in range(n_folds([fits]))]
    (found,) = combine([brighter], [fits], folds)
    (same,) = cross_validated([fits])
    np.testing.assert_allclose(found.each_db[:, 0], same.each_db[:, 0], atol=1e-3)


def test_single_psfs_cannot_be_left_out():
    one, _ = psf_samples(1, noise=0.001)
    many, _ = psf_samples(12, noise=0.001)
    first, second = cross_validated([one, many])
    assert np.isnan(first.error).all()
    assert not np.isnan(second.error).any()
    assert len(pooled([first, second]).energy) == 12
    assert len(pooled([first]).energy) == 0


def test_every_psf_is_left_out_once():
    samples, _ = psf_samples(23, noise=0.001)
    assert n_folds([samples]) == 10
    assert n_folds([psf_samples(600)[0], samples]) == 5
    out = [~np.isnan(fold_errors([samples], [samples], fold)[0][:, 0]) for fold in range(10)]
    assert (np.sum(out, axis=0) == 1).all()


def test_no_bead_shows_less_than_its_noise_allows():
    error = np.full((4, MOST_EIGEN_PSFS), -0.5)
    found = PredictionErrors(error, np.ones(4), np.array([0.1, 0.1, 0.01, 0.0]), np.ones(4))
    np.testing.assert_allclose(found.each_db[:, 0], [-10, -10, -20, -60])
    assert found.total_db[0] == pytest.approx(10 * np.log10(np.hypot(0.1, 0.1) / 4), abs=0.05)


def test_fewest_within_one_standard_error():
    rng = np.random.default_rng(0)
    error = np.tile(rng.uniform(0.9, 1.1, (50, 1)), (1, MOST_EIGEN_PSFS))
    error += np.array([4, 2, 0.01, 0, 0.1, 0.2, 0.3, 0.4])
    error += 0.2 * rng.standard_normal(error.shape)
    found = PredictionErrors(error, np.full(50, 9.0), np.zeros(50), np.ones(50))
    assert found.n_worthwhile() == 3


def test_fewer_psfs_than_eigen_psfs():
    places = np.array([[0.0, 0], [0.5, 0.5], [-0.5, 0.2]])
    samples = PsfSamples(places, true_psfs(places).astype(np.float32), np.zeros(3))
    assert cross_validated([samples])[0].error.shape == (3, MOST_EIGEN_PSFS)
