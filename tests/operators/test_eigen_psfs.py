"""The eigen-PSF space: how near it is to the family, and the way back to γ."""

import pytest
import torch

from napari_deepblur.engine.metrics import psf_snr
from napari_deepblur.operators import EigenPsfSpace, ZernikeFamily


@pytest.fixture(scope="module")
def family():
    return ZernikeFamily()


@pytest.fixture(scope="module")
def space(family):
    return EigenPsfSpace.of(family, n_eigen_psfs=64)


@pytest.fixture(scope="module")
def unseen(family):
    """PSFs that the decomposition did not see."""
    return family.psf(family.admissible_set.sample(256, seed=99))


def test_shapes(space, unseen):
    assert space.n_eigen_psfs == 64
    assert space.eigen_psfs.shape == (64, 31, 31)
    assert space.encode(unseen).shape == (256, 64)
    assert space.decode(space.encode(unseen)).shape == unseen.shape


def test_eigen_psfs_are_orthonormal(space):
    flat = space.eigen_psfs.flatten(1)
    torch.testing.assert_close(flat @ flat.T, torch.eye(64), rtol=0, atol=1e-5)


def test_coordinates_have_unit_variance_and_falling_scale(space, unseen):
    coordinates = space.encode(unseen)
    torch.testing.assert_close(coordinates.mean(0), torch.zeros(64), rtol=0, atol=0.4)
    torch.testing.assert_close(coordinates.std(0), torch.ones(64), rtol=0, atol=0.4)
    assert bool((space.scale.diff() <= 0).all())


def test_encode_undoes_decode(space):
    coordinates = torch.randn(5, 64, generator=torch.Generator().manual_seed(0))
    back = space.encode(space.decode(coordinates))
    torch.testing.assert_close(back, coordinates, rtol=0, atol=1e-3)


def test_more_eigen_psfs_are_nearer(family, space, unseen):
    """The figures of the design: 10.5, 13.8, 17.4 and 22.7 dB."""
    centred = (unseen - space.mean).flatten(1)
    reached = []
    for n in (8, 16, 32, 64):
        leading = space.eigen_psfs[:n].flatten(1)
        near = space.mean + (centred @ leading.T @ leading).reshape_as(unseen)
        reached.append(float(psf_snr(near, unseen).mean()))
    assert reached == pytest.approx([10.5, 13.8, 17.4, 22.7], abs=1)
    few = EigenPsfSpace.of(family, n_eigen_psfs=8)
    nearest = few.decode(few.encode(unseen))
    assert float(psf_snr(nearest, unseen).mean()) == pytest.approx(reached[0], abs=0.1)


def test_squared_distance_of_coordinates_is_that_of_psfs(space):
    first, second = torch.randn(2, 6, 64, generator=torch.Generator().manual_seed(1))
    by_coordinates = ((first - second) * space.scale).square().sum(-1)
    by_psf = (space.decode(first) - space.decode(second)).square().sum((-2, -1))
    torch.testing.assert_close(by_coordinates, by_psf, rtol=1e-4, atol=0)


def test_fit_finds_the_psf_from_exact_coordinates(family, space):
    psf = family.psf(family.admissible_set.sample(48, seed=5))
    gamma = space.fit(space.encode(psf))
    assert gamma.shape == (48, 7)
    assert bool(family.admissible_set.contains(gamma).all())
    snr = psf_snr(family.psf(gamma), psf)
    # The problem is not convex: a rare one may end in a local minimum, but a good one.
    assert float((snr > 40).float().mean()) >= 0.95
    assert float(snr.min()) > 10


def test_fit_survives_the_plane_where_twins_meet(family, space):
    """Near γ₄ = 0 a Gauss-Newton step leaves the half box, where its twin is."""
    gamma = family.admissible_set.sample(128, seed=3)
    gamma[:, 0] *= 0.1
    psf = family.psf(gamma)
    snr = psf_snr(family.psf(space.fit(space.encode(psf))), psf)
    # Clamped at the cut instead of folded over it, one fit in twelve stays in a wrong valley.
    assert float((snr > 40).float().mean()) >= 0.98


def test_fit_of_what_is_no_psf_stays_inside(family, space):
    coordinates = 3 * torch.randn(10, 64, generator=torch.Generator().manual_seed(2))
    gamma = space.fit(coordinates)
    assert bool(gamma.isfinite().all())
    assert bool(family.admissible_set.contains(gamma).all())


def test_space_is_the_same_each_time(family):
    first = EigenPsfSpace.of(family, n_eigen_psfs=12, n_samples=512)
    second = EigenPsfSpace.of(family, n_eigen_psfs=12, n_samples=512)
    assert torch.equal(first.eigen_psfs, second.eigen_psfs)
    assert torch.equal(first.scale, second.scale)


def test_fit_with_fewer_eigen_psfs_than_coefficients(family):
    """Then many γ fit equally well, and the linear systems of the fit are singular."""
    few = EigenPsfSpace.of(family, n_eigen_psfs=6, n_samples=300)
    with torch.no_grad():
        psf = family.psf(family.admissible_set.sample(32, seed=1))
        gamma = few.fit(few.encode(psf))
    assert bool(family.admissible_set.contains(gamma).all())
    misfit = few.encode(family.psf(gamma)) - few.encode(psf)
    assert float(misfit.square().mean().sqrt()) < 0.1
