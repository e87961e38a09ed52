"""Families of simulated microscopes: true to the microscope, inside its ranges."""

import numpy as np
import pytest
import torch

from helpers.families import varying_family
from napari_deepblur import Optics
from napari_deepblur.calibration.simulated import (
    MICROSCOPES,
    sample_psfs,
    simulated_family,
    simulated_microscope,
)
from napari_deepblur.operators import ConvexHull

OPTICS = Optics(numerical_aperture=1.3, wavelength_um=0.52, pixel_size_um=0.1)
N_PLACES = 5


class Known:
    """A microscope whose PSFs are a product-convolution family's: three eigen-PSFs, no error."""

    optics = OPTICS
    family = varying_family(window=15)

    def draw(self, n, *, seed):
        return {"gamma": self.family.admissible_set.sample(n, seed=seed)}

    def psfs(self, state, field_yx):
        return self.family.psf_at(state["gamma"], field_yx)


@pytest.fixture(scope="module")
def samples():
    states = Known().draw(30, seed=0)["gamma"]
    return [sample_psfs(Known(), {"gamma": gamma}, N_PLACES) for gamma in states]


@pytest.fixture(scope="module")
def found(samples):
    return simulated_family(samples, OPTICS, n_eigen_psfs=3, n_functions=3, n_vertices=12)


def nodes():
    axis = torch.linspace(-1, 1, N_PLACES)
    return torch.cartesian_prod(axis, axis)


def test_samples_reach_from_border_to_border(samples):
    assert len(samples) == 30
    np.testing.assert_allclose(samples[0].field_yx, nodes())
    assert samples[0].psfs.shape == (25, 15, 15)
    np.testing.assert_array_equal(samples[0].noise, 0)


def test_the_family_has_the_microscopes_psfs(found, samples):
    """Three eigen-PSFs and a plane's three functions say all there is."""
    family, extraction = found
    gamma = torch.from_numpy(extraction.coefficients).float()
    assert gamma.shape == (30, 9)
    psfs = family.psf_at(gamma, nodes())
    true = torch.from_numpy(np.stack([part.psfs for part in samples]))
    error = (psfs - true).square().sum((-2, -1)) / true.square().sum((-2, -1))
    assert float(10 * error.max().log10()) < -50


def test_the_family_says_where_it_comes_from(found):
    family, _ = found
    assert family.cutoff == pytest.approx(0.25)
    assert family.pixel_size_um == 0.1
    assert family.optics_known
    assert family.n_coefficients == len(family.coefficient_names) == 9
    assert len(set(family.coefficient_names)) == 9


def test_psfs_have_sum_one_all_over_the_set(found):
    family, _ = found
    assert isinstance(family.admissible_set, ConvexHull)
    gamma = torch.cat([family.admissible_set.vertices, family.admissible_set.sample(5, seed=0)])
    sums = family.psf_at(gamma, nodes()).sum((-2, -1))
    torch.testing.assert_close(sums, torch.ones(17, 25), rtol=0, atol=1e-4)


def test_the_set_varies_as_the_microscopes_do(found):
    """Within what some hundred draws say of each."""
    family, extraction = found
    drawn = family.admissible_set.sample(300, seed=5).numpy()
    ratio = drawn.var(0).sum() / extraction.coefficients.var(0).sum()
    assert ratio == pytest.approx(1, abs=0.25)
    away = drawn.mean(0) - extraction.coefficients.mean(0)
    assert (away**2).sum() < 0.2 * extraction.coefficients.var(0).sum()


def test_vertices_are_as_many_as_asked(found):
    assert found[0].admissible_set.vertices.shape == (12, 9)


def test_all_microscopes_are_there():
    for name in MICROSCOPES:
        microscope = simulated_microscope(name)
        assert 0.1 < microscope.optics.cutoff < 0.3
        assert microscope.model_dump()["field_um"] > 0


def test_an_unknown_microscope_is_answered_with_the_known_ones():
    known = "spim or light-sheet or widefield-fieldvarying"
    with pytest.raises(ValueError, match=f"'confocal': choose {known}"):
        simulated_microscope("confocal")
