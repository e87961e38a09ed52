import numpy as np
import pytest

from helpers.bead_images import psf_samples
from napari_deepblur.calibration.fit.modes import find_eigen_psfs, normalised


def principal_angle(one, other):
    """Largest angle between two subspaces, degrees."""
    bases = [np.linalg.qr(part.reshape(len(part), -1).T)[0] for part in (one, other)]
    cosines = np.linalg.svd(bases[0].T @ bases[1])[1]
    return np.degrees(np.arccos(np.clip(cosines.min(), -1, 1)))


@pytest.mark.parametrize("n", [30, 700])
def test_they_span_the_psfs(n):
    samples, true = psf_samples(n)
    found = find_eigen_psfs([samples], 5)
    assert principal_angle(found.basis[:3], true[:3]) < 0.1
    assert found.energy[2] == pytest.approx(1)
    assert found.varying_energy[2] == pytest.approx(1)
    assert found.varying_energy[0] < 0.9
    gram = np.einsum("kyx,lyx->kl", found.basis, found.basis)
    np.testing.assert_allclose(gram, np.eye(5), atol=1e-10)


def test_energy_is_that_of_the_singular_values():
    samples, true = psf_samples(50)
    power = np.linalg.svd(true.reshape(50, -1))[1][:3] ** 2
    found = find_eigen_psfs([samples], 3)
    np.testing.assert_allclose(found.energy, np.cumsum(power) / power.sum(), rtol=1e-5)


def test_noise_hardly_turns_them():
    samples, true = psf_samples(200, noise=0.002)
    assert principal_angle(find_eigen_psfs([samples]).basis[:3], true[:3]) < 5


def test_acquisitions_count_alike():
    many, _ = psf_samples(300, seed=1)
    few, _ = psf_samples(6, seed=2, stretch=0)
    both = find_eigen_psfs([many, few], 1).basis[0]
    ends = [find_eigen_psfs([part], 1).basis[0] for part in (many, few)]
    away, whole = (np.linalg.norm(one - ends[1]) for one in (both, ends[0]))
    # About half way, though there are fifty times as many of one kind.
    assert 0.3 < away / whole < 0.7


def test_psfs_that_do_not_vary():
    samples, _ = psf_samples(10, stretch=0)
    found = find_eigen_psfs([samples], 3)
    np.testing.assert_allclose(found.varying_energy, 1)
    assert found.energy[0] == pytest.approx(1)


def test_weights_normalised_are_the_nearest():
    samples, _ = psf_samples(30)
    basis = find_eigen_psfs([samples], 3).basis
    weights = np.random.default_rng(0).standard_normal((4, 3))
    fixed = normalised(weights, basis)
    np.testing.assert_allclose(np.tensordot(fixed, basis, 1).sum((1, 2)), 1)
    change, sums = fixed - weights, basis.sum((1, 2))
    # The change is normal to the plane of sum 1.
    np.testing.assert_allclose(
        change - np.outer(change @ sums, sums) / (sums @ sums), 0, atol=1e-12
    )
