"""Boxes and half boxes: membership, projection, sampling, the twin."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_deepblur.operators import AdmissibleSet, Box, HalfBox, ZernikeFamily

LIMITS = [0.15, 0.1, 0.2, 0.05]
SETS = {
    "box": Box([-0.1, 0.0, 0.2, -0.3], [0.1, 0.5, 0.2, 0.4]),
    "half box": HalfBox(LIMITS, even=[1, 3]),
    "half box of odd modes": HalfBox(LIMITS, even=[]),
}
every_set = pytest.mark.parametrize("admissible", SETS.values(), ids=SETS.keys())
vectors = st.lists(st.floats(-1, 1, width=32), min_size=4, max_size=4).map(torch.tensor)


@every_set
def test_is_an_admissible_set(admissible):
    assert isinstance(admissible, AdmissibleSet)
    assert admissible.n_coefficients == 4


@every_set
@given(vector=vectors, other=st.integers(0, 1000))
def test_projection_is_the_nearest_point(admissible, vector, other):
    projected = admissible.project(vector)
    assert bool(admissible.contains(projected))
    assert torch.equal(admissible.project(projected), projected)
    if bool(admissible.contains(vector, tolerance=0)):
        assert torch.equal(projected, vector)
    # Of a convex set, the nearest point p satisfies ⟨v − p, x − p⟩ ≤ 0 for all its x.
    inside = admissible.sample(20, seed=other)
    assert float(((inside - projected) @ (vector - projected)).max()) <= 1e-6


@every_set
def test_samples_lie_inside_and_are_reproducible(admissible):
    sample = admissible.sample(500, seed=3)
    assert sample.shape == (500, 4)
    assert bool(admissible.contains(sample, tolerance=0).all())
    assert torch.equal(sample, admissible.sample(500, seed=3))
    assert not torch.equal(sample, admissible.sample(500, seed=4))


@every_set
def test_samples_fill_the_set(admissible):
    sample = admissible.sample(4000, seed=0)
    low, high = admissible.low, admissible.high
    torch.testing.assert_close(sample.mean(0), (low + high) / 2, rtol=0, atol=0.02)
    torch.testing.assert_close(sample.amin(0), low, rtol=0, atol=0.005)
    torch.testing.assert_close(sample.amax(0), high, rtol=0, atol=0.005)


def test_contains_is_for_each_vector():
    box = Box([0, 0], [1, 1])
    points = torch.tensor([[[0.5, 0.5], [1.5, 0.5]], [[1.0, 0.0], [-0.1, 2.0]]])
    assert box.contains(points).tolist() == [[True, False], [True, False]]


def test_half_box_is_cut_along_its_first_even_mode():
    half = HalfBox(LIMITS, even=[1, 3])
    assert half.low.tolist() == pytest.approx([-0.15, 0, -0.2, -0.05])
    assert half.high.tolist() == pytest.approx(LIMITS)


@given(vector=vectors)
def test_fold_and_twin(vector):
    half = SETS["half box"]
    twin = half.twin(vector)
    assert torch.equal(half.twin(twin), vector)
    folded = half.fold(vector)
    assert float(folded[1]) >= 0
    assert torch.equal(folded, vector) or torch.equal(folded, twin)
    assert torch.equal(half.fold(folded), folded)


def test_folding_keeps_the_psf():
    family = ZernikeFamily()
    half = family.admissible_set
    gamma = 0.15 * (2 * torch.rand(40, 7, generator=torch.Generator().manual_seed(0)) - 1)
    assert not bool(half.contains(gamma).all())
    folded = half.fold(gamma)
    assert bool(half.contains(folded).all())
    psf = family.psf(gamma)
    torch.testing.assert_close(family.psf(folded), psf, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("low", "high", "fragment"),
    [([0, 0], [1], "one length"), ([[0]], [[1]], "one length"), ([0, 2], [1, 1], "not exceed")],
)
def test_bad_bounds(low, high, fragment):
    with pytest.raises(ValueError, match=fragment):
        Box(low, high)
