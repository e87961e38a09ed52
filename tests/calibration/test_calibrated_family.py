import numpy as np
import pytest
import torch

from helpers.bead_images import psf_samples
from napari_deepblur.calibration.calibrated_family import calibrated_family, measured_cutoff
from napari_deepblur.calibration.fit.extractor import extract
from napari_deepblur.calibration.fit.modes import find_eigen_psfs
from napari_deepblur.operators import ZernikeFamily
from napari_deepblur.optics.settings import Optics

OPTICS = Optics(numerical_aperture=0.8, wavelength_um=0.5, pixel_size_um=0.1)
SAMPLES = [psf_samples(30, stretch=stretch)[0] for stretch in (1.0, 0.8, 0.6)]
EXTRACTION = extract(SAMPLES, find_eigen_psfs(SAMPLES).first(3))


def family(**changes):
    settings = {"optics": None, "cutoff": 0.2, "pixel_size_um": 0.1, "inflation": 1.0}
    return calibrated_family(EXTRACTION, **settings | changes)


def test_the_hull_holds_the_acquisitions():
    hull = family().admissible_set
    gamma = torch.from_numpy(EXTRACTION.coefficients).float()
    assert hull.contains(gamma).all()
    beyond = gamma.mean(0) + 1.05 * (gamma - gamma.mean(0))
    assert not hull.contains(beyond)[[0, 2]].any()
    assert family(inflation=1.1).admissible_set.contains(beyond).all()


def test_psfs_are_those_of_the_extraction():
    places = torch.tensor([[-1.0, -1], [1, 1]])
    found = family().psf_at(torch.from_numpy(EXTRACTION.coefficients[1]).float(), places)
    weights = np.einsum("p,pkyx->yxk", EXTRACTION.coefficients[1], EXTRACTION.maps)
    corners = EXTRACTION.eigen_psfs.decode(weights[[0, -1], [0, -1]])
    np.testing.assert_allclose(found.numpy(), corners, atol=1e-6)


def test_known_optics_fit_other_pixels_by_their_cutoff():
    coarse = Optics(numerical_aperture=0.8, wavelength_um=1.0, pixel_size_um=0.1)
    known, unknown = family(optics=OPTICS), family()
    assert known.cutoff == pytest.approx(OPTICS.cutoff)
    assert known.pixel_ratio(coarse) == pytest.approx(0.5)
    assert unknown.cutoff == 0.2
    assert unknown.pixel_ratio(coarse) == 1
    assert known.coefficient_names == ("mean operator", "mode 1")


@pytest.mark.parametrize("cutoff", [0.1, 0.15, 0.2, 0.25])
def test_cutoff_is_measured(cutoff):
    psf = ZernikeFamily(cutoff=cutoff).psf(torch.zeros(7)).double().numpy()
    assert cutoff * 0.85 < measured_cutoff(psf, 0.0) < cutoff * 1.05
    noisy = psf + 1e-4 * np.random.default_rng(0).standard_normal(psf.shape)
    assert cutoff * 0.75 < measured_cutoff(noisy, 1e-4) < cutoff * 1.05


def test_no_cutoff_beyond_what_pixels_hold():
    psf = np.zeros((9, 9))
    psf[4, 4] = 1
    assert measured_cutoff(psf, 0.0) <= 0.5
