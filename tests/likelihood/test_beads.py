"""The likelihood of beads finds the blur of images that are drawn apart from it."""

import numpy as np
import pytest
import torch

from napari_deepblur.engine.bead_fit import fit_beads
from napari_deepblur.engine.isolated_beads import isolated_beads
from napari_deepblur.engine.metrics import psf_snr
from napari_deepblur.engine.models import load_model
from napari_deepblur.engine.valid_pixels import ValidPlane
from napari_deepblur.likelihood.bead_patches import Beads
from napari_deepblur.likelihood.beads import BeadLikelihood, _ball
from napari_deepblur.likelihood.whittle import BlurPrior
from napari_deepblur.operators import WidefieldFamily, ZernikeFamily
from napari_deepblur.optics.settings import Optics
from napari_deepblur.samples.isolated_beads import draw_isolated_beads

OPTICS = Optics(
    numerical_aperture=1.3, wavelength_um=0.52, pixel_size_um=0.1, refractive_index=1.518
)
TRUE = torch.tensor([0.08, -0.05, 0.03, 0.06, -0.02, 0.04, -0.03, 0.05, 0.4])


def drawn(**wishes):
    return draw_isolated_beads(
        WidefieldFamily(), TRUE.numpy(), pixel_size_um=0.1, shape=(200, 200), n_beads=6, **wishes
    )


def fitted(image):
    beads = isolated_beads(ValidPlane.of(image), OPTICS)
    return fit_beads(beads, load_model("widefield"), torch.zeros(len(TRUE)), OPTICS)


def snr(fit):
    family = WidefieldFamily()
    return float(psf_snr(family.psf(fit.coefficients), family.psf(TRUE)))


def test_the_blur_of_small_beads_is_found():
    fit = fitted(drawn(diameter_um=0.05))
    assert snr(fit) > 25
    errors = (fit.coefficients - TRUE).abs()
    assert float(errors[:-1].max()) < 0.02
    assert bool((errors < 4 * fit.std).all())
    assert fit.diameter == 0
    assert 0.8 < fit.misfit < 1.3
    assert float(fit.unexplained.max()) < 0.05


def test_the_size_of_large_beads_is_found():
    fit = fitted(drawn(diameter_um=0.5, photons=2000.0, read_noise=0.0))
    assert fit.diameter == pytest.approx(5, abs=0.2)  # λ / 4NA is 0.1 µm
    assert snr(fit) > 25


def test_few_photons_make_large_errors():
    bright, dim = (fitted(drawn(photons=photons)) for photons in (400.0, 40.0))
    assert float(dim.std[:-1].mean()) > 2 * float(bright.std[:-1].mean())


def test_what_is_left_of_all_beads_alike_does_not_average_out():
    image = drawn(photons=20_000.0, read_noise=0.0)
    beads = isolated_beads(ValidPlane.of(image), OPTICS)
    family = ZernikeFamily()  # it lacks the extra blur, and spherical aberration
    prior = BlurPrior(
        torch.zeros(7), torch.full((7,), 0.1), torch.full((7,), -0.15), torch.full((7,), 0.15)
    )
    one, all_of_them = (
        BeadLikelihood(some, family, prior).fit(TRUE[None, :7])
        for some in (beads.brightest(1), beads)
    )
    assert one.misfit > 2
    torch.testing.assert_close(all_of_them.std, one.std, rtol=0.6, atol=0)


def test_slopes_are_those_of_the_images():
    counts = torch.from_numpy(np.random.default_rng(0).random((2, 31, 31), np.float32))
    ones = torch.ones(2)
    beads = Beads(counts, torch.ones(2, 31, 31, dtype=torch.bool), ones, ones)
    family = WidefieldFamily()
    limits = family.admissible_set
    prior = BlurPrior(TRUE, 0 * TRUE + 1, limits.lowest, limits.high)
    likelihood = BeadLikelihood(beads, family, prior)
    with torch.no_grad():
        point = likelihood._begin(torch.cat([TRUE, torch.tensor([0.2])]).double())
        step = 1e-3
        for number in range(len(TRUE) + 1):
            sides = []
            for sign in (1, -1):
                shared = point.state.shared.clone()
                shared[number] += sign * step
                state = type(point.state)(shared, point.state.own)
                sides.append(likelihood._predict(state).images)
            slope = (sides[0] - sides[1]) / (2 * step)
            torch.testing.assert_close(point.shared[:, number], slope, rtol=0, atol=2e-3)


def test_a_ball_is_a_point_and_then_a_gaussian_as_it_grows():
    squared = torch.linspace(0, 4, 9)
    point, slope = _ball(squared, 0.0)
    torch.testing.assert_close(point, torch.ones(9))
    torch.testing.assert_close(slope, -squared / 2)
    small, _ = _ball(squared, 0.02)
    torch.testing.assert_close(small, torch.exp(-0.01 * squared), rtol=0, atol=1e-3)
