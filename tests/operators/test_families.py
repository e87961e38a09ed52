"""The Zernike family: names, limits, pixel sizes."""

import pytest
import torch

from napari_deepblur.operators import Convolution, ZernikeFamily


@pytest.fixture(scope="module")
def family():
    return ZernikeFamily()


def test_default_modes_are_defocus_to_trefoil(family):
    assert family.n_coefficients == 7
    assert family.coefficient_names[0] == "Z4 defocus"
    assert family.coefficient_names[-1] == "Z10 oblique trefoil"
    assert family.admissible_set.high.tolist() == pytest.approx([0.15] * 7)


def test_admissible_set_keeps_one_of_two_twins(family):
    low = family.admissible_set.low
    assert float(low[0]) == 0
    assert low[1:].tolist() == pytest.approx([-0.15] * 6)


def test_operator_has_the_coefficients_psf(family):
    gamma = family.admissible_set.sample(2, seed=0)
    operator = family.operator(gamma, (64, 80))
    assert isinstance(operator, Convolution)
    assert operator.range_shape == (64, 80)
    assert torch.equal(operator.psf(), family.psf(gamma))
    assert torch.equal(operator.psf((3, 5)), operator.psf())


@pytest.mark.parametrize("cutoff", [0.125, 0.2, 0.4])
def test_other_pixels_same_coefficients(family, cutoff):
    other = family.at_cutoff(cutoff)
    assert other.cutoff == cutoff
    assert other.coefficient_names == family.coefficient_names
    assert torch.equal(other.admissible_set.low, family.admissible_set.low)
    assert torch.equal(other.admissible_set.high, family.admissible_set.high)
    gamma = family.admissible_set.sample(5, seed=1)
    assert other.psf(gamma).shape == (5, other.pupil.window, other.pupil.window)


def test_half_the_pixels_show_the_same_psf(family):
    gamma = family.admissible_set.sample(5, seed=1)
    coarse = family.psf(gamma)
    fine = family.at_cutoff(0.125).psf(gamma)[:, ::2, ::2]
    fine = fine / fine.sum((-2, -1), keepdim=True)
    torch.testing.assert_close(fine, coarse, rtol=0, atol=2e-5)


def test_any_modes_in_any_number():
    family = ZernikeFamily((5, 7, 11), limit_waves=0.05)
    assert family.n_coefficients == 3
    # Astigmatism and spherical are even, coma is not: the cut goes through the first even one.
    assert family.admissible_set.low.tolist() == pytest.approx([0, -0.05, -0.05])
    assert family.psf(torch.zeros(3)).shape == (31, 31)
