"""From a simulated microscope to its family, as a job."""

import numpy as np
import pytest
import torch

from helpers.jobs import assert_reports_and_can_be_left
from napari_deepblur.calibration.simulated import MICROSCOPES
from napari_deepblur.engine.events import finish
from napari_deepblur.engine.simulate import simulate_family_job


@pytest.mark.parametrize("name", MICROSCOPES)
def test_a_family_of_few_microscopes(name):
    simulation = finish(simulate_family_job(name, n_microscopes=8, n_places=3))
    family = simulation.family
    n_eigen_psfs = 6 if name == "light-sheet" else 4
    assert len(family.eigen_psfs) == n_eigen_psfs
    assert family.n_coefficients == 4 * n_eigen_psfs
    assert family.seen_at == (0.6 if name == "light-sheet" else family.cutoff)
    gamma = family.admissible_set.sample(2, seed=0)
    corners = torch.tensor([[-1.0, -1], [-1, 1], [1, -1], [1, 1]])
    psfs = family.psf_at(gamma, corners)
    torch.testing.assert_close(psfs.sum((-2, -1)), torch.ones(2, 4), rtol=0, atol=1e-4)
    assert float((psfs - psfs[:, :1]).abs().max()) > 1e-3
    assert 0.9 < simulation.energy < 1
    assert simulation.fidelity_db.shape == simulation.mean_operator_db.shape == (8, 9)
    # To know the microscope is worth something, in the mean and nearly everywhere.
    gain = simulation.fidelity_db - simulation.mean_operator_db
    assert gain.mean() > 3
    assert np.median(gain) > 0
    assert simulation.parameters["optics"]["numerical_aperture"] < 1.333


def test_one_seed_one_family():
    name = "widefield-fieldvarying"
    one, again, other = (
        finish(simulate_family_job(name, n_microscopes=5, n_places=3, seed=seed))
        for seed in (0, 0, 1)
    )
    assert torch.equal(one.family.maps, again.family.maps)
    assert torch.equal(one.family.admissible_set.vertices, again.family.admissible_set.vertices)
    assert not torch.equal(one.family.maps, other.family.maps)


def test_it_reports_and_can_be_left():
    assert_reports_and_can_be_left(
        lambda: simulate_family_job("widefield-fieldvarying", n_microscopes=4, n_places=3)
    )


def test_an_unknown_microscope():
    with pytest.raises(ValueError, match="no simulated microscope 'confocal'"):
        finish(simulate_family_job("confocal"))
