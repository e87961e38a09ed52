"""Spread points: inside, far apart, reproducible, and pictures of the way there."""

import pytest
import torch
from scipy.spatial import cKDTree
from scipy.stats import qmc

from napari_deepblur.operators import Box, ConvexHull, HalfBox, spread
from napari_deepblur.operators.spread import spread_iterates


def distances_to_nearest(points):
    return torch.from_numpy(cKDTree(points.numpy()).query(points.numpy(), k=2)[0][:, 1])


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


SETS = {
    "box": Box([-0.1, 0.0, 0.2, -0.3], [0.1, 0.5, 0.2, 0.4]),
    "half box": HalfBox([0.15, 0.1, 0.2], even=[0, 2]),
    "hull": ConvexHull(normal(12, 3)),
    "flat hull": ConvexHull(normal(8, 2) @ normal(2, 5, seed=1)),
}


@pytest.mark.parametrize("admissible", SETS.values(), ids=SETS.keys())
def test_points_lie_inside_and_further_apart_than_random_ones(admissible):
    points = spread(admissible, 40, n_steps=60, seed=1)
    assert points.shape == (40, admissible.n_coefficients)
    assert bool(admissible.contains(points).all())
    apart = distances_to_nearest(points)
    assert apart.sum() > 1.4 * distances_to_nearest(admissible.sample(40, seed=1)).sum()
    assert apart.min() > 0.3 * apart.mean()


@pytest.mark.parametrize(("n_coefficients", "n_points"), [(7, 1000), (16, 2000)])
def test_points_are_far_from_each_other(n_coefficients, n_points):
    box = Box([0] * n_coefficients, [1] * n_coefficients)
    apart = distances_to_nearest(spread(box, n_points)).sum()
    sobol = qmc.Sobol(n_coefficients, scramble=True, seed=0).random_base2(11)[:n_points]
    assert apart >= 1.7 * distances_to_nearest(box.sample(n_points, seed=0)).sum()
    assert apart >= 1.5 * distances_to_nearest(torch.from_numpy(sobol)).sum()


def test_points_on_a_line_are_evenly_spaced():
    points = spread(Box([0.0], [1.0]), 5, n_steps=500)[:, 0].sort().values
    torch.testing.assert_close(points, torch.linspace(0, 1, 5), rtol=0, atol=0.01)


def test_points_go_to_the_corners_of_a_square():
    points = spread(Box([0.0, 0.0], [1.0, 1.0]), 4, n_steps=300)
    assert {tuple(point) for point in points.round(decimals=2).tolist()} == {
        (0, 0), (0, 1), (1, 0), (1, 1),
    }  # fmt: skip


def test_points_that_coincide_part():
    class OnePoint(Box):
        def sample(self, n, *, seed=None, generator=None):
            return torch.tensor([[0.5, 0.5], [0.5, 0.5], [0.9, 0.5]])

    points = spread(OnePoint([0, 0], [1, 1]), 3, n_steps=200)
    assert float(distances_to_nearest(points).min()) > 0.5


def test_a_single_point_is_no_obstacle():
    points = spread(ConvexHull([[0.2, 0.4]]), 3, n_steps=2)
    assert torch.equal(points, torch.tensor([[0.2, 0.4]] * 3))


def test_seed_decides_the_points():
    box = Box([0, 0], [1, 1])
    points = spread(box, 20, n_steps=20, seed=1)
    assert torch.equal(points, spread(box, 20, n_steps=20, seed=1))
    assert not torch.equal(points, spread(box, 20, n_steps=20, seed=2))


def test_iterates_tell_their_objective_and_the_best_is_returned():
    box = Box([0, 0, 0], [1, 1, 1])
    iterates = list(spread_iterates(box, 300, n_steps=30, seed=2))
    assert [iterate.step for iterate in iterates] == list(range(31))
    assert torch.equal(iterates[0].points, box.sample(300, seed=2))
    for iterate in iterates[::10]:
        assert iterate.objective == pytest.approx(float(distances_to_nearest(iterate.points).sum()))
    best = max(iterates, key=lambda iterate: iterate.objective)
    assert torch.equal(spread(box, 300, n_steps=30, seed=2), best.points)


@pytest.mark.parametrize(
    ("given", "fragment"),
    [({"n_points": 1}, "from 2 on"), ({"n_points": 5, "n_steps": -1}, "negative")],
)
def test_refusals(given, fragment):
    with pytest.raises(ValueError, match=fragment):
        spread(Box([0], [1]), **given)
