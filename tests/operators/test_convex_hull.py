"""Convex hulls: membership, projection and sampling, flat ones and single points too."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, spatial

from napari_deepblur.operators import AdmissibleSet, ConvexHull


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


CUBE = torch.tensor(list(itertools.product([-1.0, 1.0], repeat=4)))
HULLS = {
    "body": ConvexHull(normal(30, 4)),
    "corners of a box": ConvexHull(CUBE),
    "flat": ConvexHull(normal(20, 2) @ normal(2, 4, seed=1) + normal(4, seed=2)),
    "segment": ConvexHull(torch.tensor([[0.1, 0.2, -1, 3], [0.4, -0.2, 2, 3]])),
    "one vertex": ConvexHull(torch.tensor([[0.3, -0.7, 0.1, 5]])),
    "duplicates": ConvexHull(normal(6, 4).repeat(3, 1)),
}
every_hull = pytest.mark.parametrize("hull", HULLS.values(), ids=HULLS.keys())
vectors = st.lists(st.floats(-6, 6, width=32), min_size=4, max_size=4).map(torch.tensor)


@every_hull
def test_is_an_admissible_set(hull):
    assert isinstance(hull, AdmissibleSet)
    assert hull.n_coefficients == 4
    assert hull.state_dict() == {}
    assert bool(hull.contains(hull.vertices, tolerance=0).all())
    assert bool(hull.contains(hull.centroid, tolerance=0))
    assert not bool(hull.contains(hull.vertices[0] + 10))


@pytest.mark.parametrize(
    "vector", [(0, 0, 3.0625, 0), (0, 0, -5.875, 0), (0, 0, 0, -5.203125), (0, 0.390625, -6, 0)]
)
def test_projection_where_many_vertices_are_equally_near(vector):
    # Here SciPy's quick solver stops too early, with slopes left of weights that it uses.
    corners = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * 4)
    vector = torch.tensor(vector)
    projected = ConvexHull(corners).project(vector)
    torch.testing.assert_close(projected, vector.clamp(-1, 1), rtol=0, atol=1e-6)


@every_hull
@given(vector=vectors)
def test_projection_is_the_nearest_point(hull, vector):
    projected = hull.project(vector)
    assert bool(hull.contains(projected, tolerance=0))
    assert torch.equal(hull.project(projected), projected)
    # The nearest point p satisfies ⟨v − p, x − p⟩ ≤ 0 for all x of the hull.
    away = (vector - projected).double()
    assert float(((hull.vertices - projected).double() @ away).max()) <= 1e-5


@every_hull
@given(weights=st.lists(st.floats(0, 1), min_size=30, max_size=30).filter(any))
def test_points_inside_stay_as_they_are(hull, weights):
    weights = torch.tensor(weights[: len(hull.vertices)], dtype=torch.float64)
    weights = (weights + 1e-9) / (weights + 1e-9).sum()
    point = (weights @ hull.vertices.double()).float()
    assert bool(hull.contains(point, tolerance=0))
    assert torch.equal(hull.project(point), point)


@pytest.mark.parametrize("name", ["body", "flat", "segment", "duplicates"])
@pytest.mark.parametrize("seed", range(3))
def test_projection_agrees_with_a_general_solver(name, seed):
    hull = HULLS[name]
    vertices, point = hull.vertices.double().numpy(), 2 * normal(4, seed=seed).double().numpy()
    found = optimize.minimize(
        lambda weights: ((weights @ vertices - point) ** 2).sum(),
        np.full(len(vertices), 1 / len(vertices)),
        jac=lambda weights: 2 * vertices @ (weights @ vertices - point),
        bounds=[(0, 1)] * len(vertices),
        constraints={"type": "eq", "fun": lambda weights: weights.sum() - 1},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 1000},
    )
    projected = hull.project(torch.from_numpy(point))
    np.testing.assert_allclose(projected.numpy(), found.x @ vertices, atol=1e-5)


def test_projection_on_the_corners_of_a_box_clamps():
    vectors = 2 * normal(200, 4)
    projected = HULLS["corners of a box"].project(vectors)
    torch.testing.assert_close(projected, vectors.clamp(-1, 1), rtol=0, atol=1e-6)


@pytest.mark.parametrize("n_dimensions", [2, 3])
def test_contains_agrees_with_the_facets(n_dimensions):
    vertices = normal(25, n_dimensions)
    points = 1.5 * normal(500, n_dimensions, seed=1)
    facets = spatial.ConvexHull(vertices.numpy()).equations
    height = (points.double().numpy() @ facets[:, :-1].T + facets[:, -1]).max(1)
    assert 50 < (height < 0).sum() < 450
    np.testing.assert_array_equal(ConvexHull(vertices).contains(points).numpy(), height <= 1e-6)


def test_contains_allows_a_distance():
    hull = ConvexHull([[0.0, 0.0], [1.0, 0.0]])
    points = torch.tensor([[[0.5, 0.0], [0.5, 0.09]], [[1.09, 0.0], [1.07, 0.08]]])
    assert hull.contains(points, tolerance=0.1).tolist() == [[True, True], [True, False]]
    assert hull.contains(points).tolist() == [[True, False], [False, False]]


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_size_and_place_of_the_hull_do_not_matter(scale):
    hull = ConvexHull(scale * (HULLS["flat"].vertices + 10))
    projected = hull.project(scale * (normal(20, 4) + 10))
    expected = scale * (HULLS["flat"].project(normal(20, 4)) + 10)
    torch.testing.assert_close(projected, expected, rtol=0, atol=2e-5 * scale)
    assert bool(hull.contains(projected, tolerance=0).all())


def test_projection_keeps_shape_and_type():
    hull = HULLS["body"]
    vectors = normal(2, 3, 4)
    projected = hull.project(vectors.double())
    assert projected.shape == (2, 3, 4)
    assert projected.dtype == torch.float64
    assert hull.project(vectors).dtype == torch.float32
    assert hull.project(vectors[:0]).shape == (0, 3, 4)
    assert torch.equal(hull.fold(vectors), vectors)


@every_hull
def test_samples_lie_inside_and_are_reproducible(hull):
    sample = hull.sample(50, seed=3)
    assert sample.shape == (50, 4)
    assert bool(hull.contains(sample, tolerance=0).all())
    assert torch.equal(sample, hull.sample(50, seed=3))
    assert torch.equal(sample, hull.sample(50, generator=torch.Generator().manual_seed(3)))
    moves = len(hull.vertices) > 1
    assert torch.equal(sample, hull.sample(50, seed=4)) != moves


def test_samples_of_the_corners_of_a_box_are_uniform():
    sample = HULLS["corners of a box"].sample(2000, seed=0)
    uniform = 12**-0.5 * 2
    torch.testing.assert_close(sample.mean(0), torch.zeros(4), rtol=0, atol=0.06)
    torch.testing.assert_close(sample.std(0), torch.full((4,), uniform), rtol=0.04, atol=0)
    # The largest of 4 uniform magnitudes is the fourth root of a uniform number.
    levels = torch.tensor([0.1, 0.25, 0.5, 0.75, 0.9])
    heights = sample.abs().amax(-1).pow(4).quantile(levels)
    torch.testing.assert_close(heights, levels, rtol=0, atol=0.04)


def test_samples_fill_a_flat_simplex_uniformly():
    corners = normal(4, 6, seed=1)
    sample = ConvexHull(corners).sample(4000, seed=0)
    weights = sample @ torch.linalg.pinv(corners)
    torch.testing.assert_close(weights.mean(0), torch.full((4,), 0.25), rtol=0, atol=0.02)
    # Uniform weights are Dirichlet's: variance (1/4)(3/4)/5.
    torch.testing.assert_close(weights.var(0), torch.full((4,), 3 / 80), rtol=0.1, atol=0)


@pytest.mark.parametrize(
    ("vertices", "fragment"),
    [
        ([1.0, 2.0], "matrix"),
        (torch.zeros(0, 3), "at least one vertex"),
        ([[0.0, float("nan")]], "finite"),
    ],
)
def test_bad_vertices(vertices, fragment):
    with pytest.raises(ValueError, match=fragment):
        ConvexHull(vertices)
