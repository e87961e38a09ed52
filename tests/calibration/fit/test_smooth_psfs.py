import numpy as np

from helpers.bead_images import error_db, psf_samples
from napari_deepblur.calibration.fit.samples import PsfSamples
from napari_deepblur.calibration.fit.smooth_psfs import smooth_psfs, with_misfit


def test_without_noise_psfs_stay_as_they_are():
    samples, true = psf_samples(20)
    np.testing.assert_allclose(smooth_psfs(samples), true, rtol=1e-6)
    assert with_misfit(samples) is samples


def test_noise_as_strong_as_the_light_is_taken_out():
    samples, true = psf_samples(100, noise=0.0085)
    assert error_db(samples.psfs, true) > -1
    assert error_db(smooth_psfs(samples), true) < -21


def test_the_common_psf_of_a_field_that_does_not_vary():
    samples, true = psf_samples(100, noise=0.0085, stretch=0)
    found = smooth_psfs(samples)
    assert error_db(found, true) < -24
    assert np.ptp(found, axis=0).max() < 0.05 * true.max()


def test_a_single_psf_is_shrunk_by_its_noise():
    samples, true = psf_samples(1, noise=0.002)
    assert error_db(smooth_psfs(samples), true) < error_db(samples.psfs, true) - 5


def test_odd_beads_lose_their_say():
    samples, true = psf_samples(120, noise=0.001)
    psfs = samples.psfs.copy()
    odd = np.arange(0, 120, 10)
    psfs[odd] = (psfs[odd] + np.roll(psfs[odd], 5, axis=2)) / 2
    spoiled = PsfSamples(samples.field_yx, psfs, samples.noise)
    judged = with_misfit(spoiled)
    others = np.setdiff1d(np.arange(120), odd)
    assert judged.noise[odd].min() > 3 * judged.noise[others].max()
    assert error_db(smooth_psfs(judged)[others], true[others]) < -30
    assert error_db(smooth_psfs(spoiled)[others], true[others]) > -25
