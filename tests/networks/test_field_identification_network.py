"""The network that reads blurs that vary: what tiles say, pooled by linear regression."""

import itertools

import numpy as np
import pytest
import torch

from helpers.families import varying_family
from napari_deepblur.networks.field_identification import FieldHead, FieldIdentificationNetwork
from napari_deepblur.operators.field_space import FieldSpace

N_BINS = 6
N_DESCRIPTION = 512 + 2 + N_BINS


@pytest.fixture(scope="module")
def space():
    return FieldSpace.of(varying_family(), n_samples=300)


@pytest.fixture
def head(space):
    """Untrained, but with an opinion of its own of each tile."""
    torch.manual_seed(0)
    head = FieldHead(space, N_BINS, width=16)
    torch.nn.init.normal_(head.answer[-1].weight, std=0.3)
    head(described(32, 4), places(4))  # running statistics
    return head.eval()


def described(n, n_tiles, *, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, n_tiles, N_DESCRIPTION, generator=generator)


def places(n_tiles, *, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.rand(n_tiles, 2, generator=generator) - 1


def saying(head, told, root):
    """The head, its tiles saying what they are told to: numbers (N, T, Q), roots (N, T, Q, Q)."""
    head.predict_tiles = lambda _: (told, root, torch.zeros(len(told)))
    return head


@torch.no_grad()
def test_pooling_is_bayesian_linear_regression(head):
    """Bishop (2006), eqs. 3.50 and 3.51, with a prior of unit variance."""
    field_yx, description = places(5), described(2, 5, seed=1)
    told, root, _ = (part.double().numpy() for part in head.predict_tiles(description))
    design = head.space.design(field_yx).double().numpy()
    factors, mean = (getattr(head.space, name).double().numpy() for name in ("factors", "mean"))
    prediction = head(description, field_yx)
    for image in range(2):
        precision, right = np.eye(5), np.zeros(5)
        for tile in range(5):
            certainty = root[image, tile].T @ root[image, tile]
            precision += design[tile].T @ certainty @ design[tile]
            right += design[tile].T @ certainty @ told[image, tile]
        covariance = np.linalg.inv(precision)
        expected = mean + (covariance @ right) @ factors
        std = np.sqrt(np.diag(factors.T @ covariance @ factors))
        np.testing.assert_allclose(prediction.coordinates[image], expected, atol=1e-4)
        # The first coefficient never changes.
        np.testing.assert_allclose(prediction.log_std[image, 1:].exp(), std[1:], rtol=1e-3)


@torch.no_grad()
def test_tiles_may_come_in_any_order(head):
    field_yx, description = places(7), described(3, 7, seed=1)
    order = torch.randperm(7, generator=torch.Generator().manual_seed(0))
    before = head(description, field_yx)
    after = head(description[:, order], field_yx[order])
    for old, new in zip(before, after, strict=True):
        torch.testing.assert_close(new, old, rtol=0, atol=1e-4)
    # Yet it does matter where they lie.
    elsewhere = head(description[:, order], field_yx)
    assert float((elsewhere.coordinates - before.coordinates).abs().max()) > 1e-3


@torch.no_grad()
@pytest.mark.parametrize("n_tiles", [1, 2, 16, 60])
def test_any_number_of_tiles(head, n_tiles):
    prediction = head(described(2, n_tiles), places(n_tiles))
    assert [tuple(part.shape) for part in prediction] == [(2, 6), (2,), (2, 6)]
    assert all(bool(part.isfinite().all()) for part in prediction)


@torch.no_grad()
def test_more_tiles_make_surer(head):
    description = described(1, 1).expand(1, 16, -1)
    field_yx = places(16)
    std = [head(description[:, :n], field_yx[:n]).log_std.exp()[0, 1:].sum() for n in (1, 2, 4, 16)]
    assert std == sorted(std, reverse=True)
    assert std[-1] < 0.9 * std[0]


@torch.no_grad()
def test_surer_tiles_make_surer(head):
    told = torch.zeros(1, 9, 2)
    std = []
    for certainty in (0.0, 1.0, 4.0, 30.0):
        root = certainty * torch.eye(2).expand(1, 9, 2, 2)
        std.append(saying(head, told, root)(described(1, 9), places(9)).log_std.exp()[0, 1:])
    for loose, tight in itertools.pairwise(std):
        assert bool((tight < loose).all())


@torch.no_grad()
def test_of_tiles_that_know_nothing_the_prior_remains(head, space):
    told, root = torch.full((2, 4, 2), 100.0), torch.zeros(2, 4, 2, 2)
    prediction = saying(head, told, root)(described(2, 4), places(4))
    torch.testing.assert_close(prediction.coordinates, space.mean.expand(2, -1))
    expected = space.factors.norm(dim=0)[1:].expand(2, -1)
    torch.testing.assert_close(prediction.log_std.exp()[:, 1:], expected)


@torch.no_grad()
def test_of_tiles_that_know_all_the_truth_comes_out(head, space):
    gamma = varying_family().admissible_set.sample(3, seed=5)
    field_yx = places(12)
    numbers = torch.einsum("tqr,nr->ntq", space.design(field_yx), space.encode(gamma))
    root = 50 * torch.eye(2).expand(3, 12, 2, 2)
    prediction = saying(head, numbers, root)(described(3, 12), field_yx)
    torch.testing.assert_close(prediction.coordinates, gamma, rtol=0, atol=5e-3)
    assert float(prediction.log_std.exp().max()) < 0.03


def test_roots_are_triangular_and_never_too_sure(head):
    with torch.no_grad():
        head.answer[-1].weight.mul_(100)
        told, root, foreign = head.predict_tiles(described(3, 5))
    assert told.shape == (3, 5, 2)
    assert foreign.shape == (3,)
    assert torch.equal(root, root.triu())
    diagonal = root.diagonal(dim1=-2, dim2=-1)
    assert float(diagonal.min()) >= np.exp(-4) * (1 - 1e-5)
    assert float(diagonal.max()) <= np.exp(4) * (1 + 1e-5)


@torch.no_grad()
def test_before_training_the_answer_is_the_familys_mean(space):
    torch.manual_seed(1)
    head = FieldHead(space, N_BINS, width=16).eval()
    prediction = head(described(3, 4), places(4))
    torch.testing.assert_close(prediction.coordinates, space.mean.expand(3, -1), rtol=0, atol=1e-5)


@torch.no_grad()
def test_errors_found_larger_scale_the_std(head):
    before = head(described(2, 4), places(4))
    head.log_temper += np.log(1.7)
    after = head(described(2, 4), places(4))
    torch.testing.assert_close(after.log_std.exp(), 1.7 * before.log_std.exp())
    assert torch.equal(after.coordinates, before.coordinates)


def test_gradients_reach_all_that_is_learned(head):
    factors, precision, foreign = head.regress(described(4, 6), places(6))
    (factors.square().sum() + torch.logdet(precision).sum() + foreign.sum()).backward()
    assert all(parameter.grad is not None for parameter in head.parameters())
    assert all(bool(parameter.grad.isfinite().all()) for parameter in head.parameters())


@torch.no_grad()
def test_each_image_is_read_alone(head):
    description = described(3, 5)
    together = head(description, places(5))
    for index in range(3):
        alone = head(description[index, None], places(5))
        for part, row in zip(alone, together, strict=True):
            torch.testing.assert_close(part[0], row[index], rtol=0, atol=1e-4)


@torch.no_grad()
def test_the_network_from_tiles_to_coefficients(space):
    torch.manual_seed(0)
    network = FieldIdentificationNetwork(varying_family(), space, n_hidden=16)
    network.eval()
    tiles = 100 + 20 * torch.randn(4, 64, 64, generator=torch.Generator().manual_seed(0))
    standard = network.standardise(tiles[None])[0]
    description = network.encode_each(standard)[None]
    assert description.shape == (1, 4, network.n_features)
    prediction = network.predict(description, places(4), n_independent_tiles=4)
    assert prediction.coordinates.shape == (1, 6)
    torch.testing.assert_close(prediction.coordinates[0], space.mean, rtol=0, atol=1e-4)


@torch.no_grad()
def test_overlapping_tiles_make_the_answer_no_surer(head):
    descriptions, where = described(2, 8), places(8)
    twice = descriptions.repeat(1, 2, 1), where.repeat(2, 1)
    once = head(descriptions, where)
    same, surer = head(*twice, n_independent_tiles=8), head(*twice, n_independent_tiles=16)
    torch.testing.assert_close(same.coordinates, once.coordinates, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(same.log_std[:, 1:], once.log_std[:, 1:], rtol=1e-3, atol=1e-3)
    assert bool((surer.log_std[:, 1:] < once.log_std[:, 1:]).all())


@torch.no_grad()
def test_more_tiles_than_in_training_make_the_answer_no_surer(head):
    descriptions, where = described(1, 16), places(16)
    many = head(descriptions.repeat(1, 4, 1), where.repeat(4, 1))
    once = head(descriptions, where)
    torch.testing.assert_close(many.log_std[:, 1:], once.log_std[:, 1:], rtol=1e-3, atol=1e-3)
