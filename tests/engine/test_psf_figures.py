"""Curves of PSFs against closed forms."""

import numpy as np
import pytest

import napari_deepblur as ndb
from helpers.images import CANONICAL_OPTICS
from napari_deepblur.engine.psf_figures import difference_db, on_pixels, psf_figures

PIXEL_UM = 0.1


def gaussian(deviation=3.0, side=61):
    axis = np.arange(side) - side // 2
    line = np.exp(-((axis / deviation) ** 2) / 2)
    psf = np.outer(line, line)
    return psf / psf.sum()


def test_a_gaussian_has_the_figures_of_a_gaussian():
    figures = psf_figures(gaussian(), PIXEL_UM)
    x = figures.profile_x
    np.testing.assert_allclose(x.y, np.exp(-((x.x / 0.3) ** 2) / 2), atol=1e-12)
    np.testing.assert_array_equal(figures.profile_y.y, x.y)
    assert figures.profile_z is None
    expected = np.exp(-2 * (np.pi * 0.3 * figures.transfer.x) ** 2)
    np.testing.assert_allclose(figures.transfer.y, expected, atol=0.01)
    expected = 1 - np.exp(-((figures.energy.x / 0.3) ** 2) / 2)
    np.testing.assert_allclose(figures.energy.y[10:], expected[10:], atol=0.06)


def test_the_transfer_of_an_ideal_psf_ends_at_its_cutoff():
    optics = CANONICAL_OPTICS.model_copy(update={"pixel_size_um": 0.06})
    transfer = psf_figures(ndb.ideal_blur(optics).psf(), 0.06).transfer
    end = 2 * optics.numerical_aperture / optics.wavelength_um
    assert transfer.y[0] == pytest.approx(1)
    assert transfer.y[transfer.x > 1.05 * end].max() < 5e-3
    assert transfer.y[transfer.x < 0.5 * end].min() > 0.3


def test_the_energy_rises_to_all_of_the_light():
    energy = psf_figures(ndb.ideal_blur(CANONICAL_OPTICS).psf(), PIXEL_UM).energy
    assert energy.x[0] == 0
    assert (np.diff(energy.y) >= 0).all()
    assert energy.y[-1] == pytest.approx(1)
    airy_um = 0.61 * CANONICAL_OPTICS.wavelength_um / CANONICAL_OPTICS.numerical_aperture
    assert np.interp(airy_um, energy.x, energy.y) == pytest.approx(0.838, abs=0.06)


def test_a_volume_has_a_profile_along_z():
    psf = gaussian()[None] * np.array([0.2, 1, 0.5])[:, None, None]
    figures = psf_figures(psf, PIXEL_UM, 0.25)
    np.testing.assert_allclose(figures.profile_z.x, [-0.25, 0, 0.25])
    np.testing.assert_allclose(figures.profile_z.y, [0.2, 1, 0.5])


def test_other_pixels_show_the_same_psf():
    moved = on_pixels(gaussian(3.0), (1.5, 1.5), (41, 41))
    np.testing.assert_allclose(moved, gaussian(2.0, 41), atol=2e-3 * moved.max())
    assert moved.sum() == pytest.approx(1, abs=0.01)


def test_differences_in_db():
    psf = gaussian()
    assert difference_db(psf, psf) == -np.inf
    assert difference_db(1.1 * psf, psf) == pytest.approx(-20)
