import numpy as np
import pytest

from helpers.bead_images import error_db, psf_samples, true_psfs
from napari_deepblur.calibration.fit import extractor
from napari_deepblur.calibration.fit.maps import nodes
from napari_deepblur.calibration.fit.modes import find_eigen_psfs


def extract(samples, *, n_eigen_psfs, **options):
    return extractor.extract(samples, find_eigen_psfs(samples).first(n_eigen_psfs), **options)


def psfs_of(extraction, acquisition, n_nodes):
    """PSFs at the nodes, (G², h, w)."""
    weights = np.einsum("p,pkyx->yxk", extraction.coefficients[acquisition], extraction.maps)
    return extraction.eigen_psfs.decode(weights.reshape(n_nodes**2, -1))


def drifting(amounts, *, noise=0.0, n=60):
    return [
        psf_samples(n, noise=noise, seed=index, stretch=amount)[0]
        for index, amount in enumerate(amounts)
    ]


def test_one_acquisition_is_its_own_operator():
    samples, _ = psf_samples(80)
    found = extract([samples], n_eigen_psfs=3, n_nodes=9)
    assert found.coefficients.tolist() == [[1]]
    assert found.maps.shape == (1, 3, 9, 9)
    assert error_db(psfs_of(found, 0, 9), true_psfs(nodes(9))) < -60


def test_unseen_places_of_noisy_beads():
    samples, _ = psf_samples(150, noise=0.006)
    found = extract([samples], n_eigen_psfs=3, n_nodes=9)
    assert error_db(psfs_of(found, 0, 9), true_psfs(nodes(9))) < -21


def test_drift_is_one_mode():
    amounts = np.array([1.0, 0.8, 0.7, 0.65])
    found = extract(drifting(amounts), n_eigen_psfs=3, n_nodes=5)
    assert found.coefficients.shape == (4, 2)
    assert (found.coefficients[:, 0] == 1).all()
    assert abs(np.corrcoef(found.coefficients[:, 1], amounts)[0, 1]) > 0.9999
    assert found.coefficients[-1, 1] > 0
    for index, amount in enumerate(amounts):
        true = true_psfs(nodes(5), stretch=amount)
        assert error_db(psfs_of(found, index, 5), true) < -50


def test_noise_is_no_drift():
    same = extract(drifting([1.0] * 5, noise=0.004), n_eigen_psfs=3)
    assert same.coefficients.tolist() == [[1]] * 5
    other = extract(drifting([1.0, 0.9, 0.8, 0.7, 0.6], noise=0.004), n_eigen_psfs=3)
    assert other.coefficients.shape[1] == 2


@pytest.mark.parametrize("noise", [0.0, 0.004])
def test_every_psf_has_sum_one(noise):
    found = extract(drifting([1.0, 0.6], noise=noise), n_eigen_psfs=4)
    for gamma in ([1, -1], [1, 0], [1, 1.5]):
        weights = np.einsum("p,pkyx->yxk", gamma[: found.maps.shape[0]], found.maps)
        sums = found.eigen_psfs.decode(weights).sum((-2, -1))
        np.testing.assert_allclose(sums, 1, atol=1e-6)


def test_coefficients_of_functions():
    found = extract(drifting([1.0, 0.8, 0.6]), n_eigen_psfs=3, n_functions=3, n_nodes=5)
    assert found.maps.shape == (9, 3, 5, 5)
    assert found.coefficients.shape == (3, 9)
    # Each coefficient weighs one eigen-PSF by one function, the first of which is constant.
    for p in range(9):
        others = np.delete(found.maps[p], p // 3, axis=0)
        assert (others == 0).all()
        assert np.ptp(found.maps[p, p // 3]) < 1e-12 or p % 3
    for index, amount in enumerate((1.0, 0.8, 0.6)):
        true = true_psfs(nodes(5), stretch=amount)
        assert error_db(psfs_of(found, index, 5), true) < -50
