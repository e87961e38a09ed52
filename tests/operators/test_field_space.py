"""Factors of a family's coefficients, and numbers that a place tells of them."""

import pytest
import torch

from helpers.families import varying_family
from napari_deepblur.operators.field_space import FieldSpace


@pytest.fixture(scope="module")
def family():
    return varying_family()


@pytest.fixture(scope="module")
def space(family):
    return FieldSpace.of(family, n_samples=600)


def nodes(family):
    axis = torch.linspace(-1, 1, family.maps.shape[-1])
    return torch.cartesian_prod(axis, axis)


def test_there_are_as_many_factors_as_free_coefficients(space):
    # The first coefficient is 1 always; two of three weights are free where their sum is 1.
    assert space.sizes == {
        "n_coefficients": 6, "n_factors": 5, "n_local": 2, "n_eigen_psfs": 3, "n_nodes": 5,
    }  # fmt: skip


def test_factors_are_independent_and_of_unit_variance(family, space):
    factors = space.encode(family.admissible_set.sample(600, seed=0))
    torch.testing.assert_close(factors.mean(0), torch.zeros(5), rtol=0, atol=1e-4)
    torch.testing.assert_close(factors.T @ factors / 600, torch.eye(5), rtol=0, atol=1e-3)


def test_factors_are_sorted_by_what_they_tell(space):
    sizes = space.factors.norm(dim=1)
    assert torch.equal(sizes, sizes.sort(descending=True).values)
    assert float(sizes[-1]) > 0


def test_encoding_and_back(family, space):
    gamma = family.admissible_set.sample(20, seed=7)
    torch.testing.assert_close(space.decode(space.encode(gamma)), gamma, rtol=0, atol=1e-5)
    factors = torch.randn(4, 3, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(space.encode(space.decode(factors)), factors, rtol=1e-3, atol=1e-3)


def test_any_factors_give_psfs_of_sum_one(family, space):
    gamma = space.decode(3 * torch.randn(8, 5, generator=torch.Generator().manual_seed(1)))
    sums = family.psf_at(gamma, nodes(family)).sum((-2, -1))
    torch.testing.assert_close(sums, torch.ones(8, 25), rtol=0, atol=1e-4)


def test_numbers_are_independent_and_of_unit_variance_over_field_and_family(family, space):
    gamma = family.admissible_set.sample(600, seed=0)
    change = family.weights(gamma, nodes(family)) - family.weights(space.mean, nodes(family))
    numbers = (change @ space.local.T).flatten(0, 1)
    covariance = numbers.T @ numbers / len(numbers)
    torch.testing.assert_close(covariance, torch.eye(2), rtol=0, atol=1e-3)


def test_the_design_tells_the_numbers_of_any_place(family, space):
    places = 2 * torch.rand(7, 2, generator=torch.Generator().manual_seed(2)) - 1
    gamma = family.admissible_set.sample(10, seed=3)
    change = family.weights(gamma, places) - family.weights(space.mean, places)
    expected = change @ space.local.T
    numbers = torch.einsum("tqr,nr->ntq", space.design(places), space.encode(gamma))
    torch.testing.assert_close(numbers, expected, rtol=0, atol=1e-4)


def test_one_seed_one_space(family, space):
    again = FieldSpace.of(family, n_samples=600)
    for name, value in space.state_dict().items():
        assert torch.equal(again.state_dict()[name], value)


def test_a_space_is_read_from_a_file_of_its_size(space):
    empty = FieldSpace.empty(**space.sizes)
    empty.load_state_dict(space.state_dict())
    for name in ("mean", "factors", "local", "maps"):
        assert torch.equal(getattr(empty, name), getattr(space, name))
    with pytest.raises(RuntimeError, match="size mismatch"):
        FieldSpace.empty(**(space.sizes | {"n_nodes": 6})).load_state_dict(space.state_dict())
