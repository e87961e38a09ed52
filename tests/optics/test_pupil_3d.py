"""The 3-D PSF: closed forms, the 2-D pupil's answer, derivatives."""

import math

import numpy as np
import pytest
import torch

from napari_deepblur import Optics
from napari_deepblur.optics.pupil import Pupil
from napari_deepblur.optics.pupil_3d import Pupil3d

OPTICS = Optics(
    numerical_aperture=1.4, wavelength_um=0.52, pixel_size_um=0.08, refractive_index=1.518
)
SLOW = Optics(numerical_aperture=0.3, wavelength_um=0.5, pixel_size_um=0.35, refractive_index=1.0)
MODES = (5, 6, 7, 8, 9, 10, 11)
GAMMA = torch.tensor([0.1, -0.05, 0.08, 0.06, -0.12, 0.05, 0.07])
Z_STEP = 0.2


def pupil(optics=OPTICS, modes=MODES, *, z_step_um=Z_STEP, shape=(16, 96, 80), **options):
    return Pupil3d(modes, optics=optics, z_step_um=z_step_um, shape=shape, **options)


def test_is_a_psf():
    psf = pupil().psf(GAMMA)
    assert psf.shape == (16, 96, 80)
    assert float(psf.sum()) == pytest.approx(1, rel=1e-5)
    assert float(psf.min()) > -1e-4 * float(psf.max())


def test_every_plane_holds_the_same_energy():
    planes = pupil().psf(GAMMA).sum((1, 2))
    torch.testing.assert_close(planes, torch.full((16,), 1 / 16), rtol=1e-4, atol=0)


def test_light_falls_along_the_axis_as_in_the_closed_form():
    """(sin u / u)², u = π NA² z / 2 n λ: Born & Wolf, ch. 8.8, for small apertures."""
    psf = pupil(SLOW, z_step_um=2.0, shape=(16, 128, 128)).psf(torch.zeros(7))
    z_um = 2.0 * np.arange(8)
    u = math.pi * 0.3**2 * z_um / (2 * 0.5)
    expected = np.sinc(u / np.pi) ** 2
    np.testing.assert_allclose(psf[:8, 0, 0] / psf[0, 0, 0], expected, atol=0.02)


def test_in_focus_it_is_the_plane_pupils_psf_over_the_pixels_area():
    psf = pupil(SLOW, shape=(1, 128, 128)).psf(GAMMA)[0]
    fine = Pupil(MODES, cutoff=SLOW.cutoff / 5, window=155).psf(GAMMA)
    binned = fine.reshape(31, 5, 31, 5).sum((1, 3))
    seen = psf.roll((15, 15), (0, 1))[:31, :31]
    assert float((seen / seen.sum() - binned).abs().max() / binned.max()) < 0.01


def test_pixels_above_half_the_airy_unit_are_not_aliased():
    coarse = OPTICS.model_copy(update={"pixel_size_um": 0.13})
    fine = OPTICS.model_copy(update={"pixel_size_um": 0.13 / 5})
    seen = pupil(coarse, shape=(6, 48, 48)).psf(GAMMA)
    exact = pupil(fine, shape=(6, 240, 240)).psf(GAMMA).roll((2, 2), (1, 2))
    binned = exact.reshape(6, 48, 5, 48, 5).sum((2, 4))
    assert float((seen - binned).abs().max() / binned.max()) < 0.02


def test_spherical_aberration_moves_the_narrowest_spot_to_its_own_side():
    """z₀ = 4√5 γ nλ / NA², where geometrical optics has the smallest root-mean-square spot.

    A ray at radius ρ lands at a distance in proportion to dW / dρ, where
    W = √5 γ (6ρ⁴ - 6ρ²) - z NA² ρ² / 2nλ in waves.
    """
    model = pupil(SLOW, modes=(11,), z_step_um=1.0, shape=(17, 128, 128))
    for waves in (0.1, -0.1):
        planes = model.psf(torch.tensor([waves])).roll((8, 64, 64), (0, 1, 2))
        away = (torch.arange(128) - 64.0).square()
        moments = (planes * (away[:, None] + away)).sum((1, 2)).numpy()
        square, linear, _ = np.polyfit(np.arange(-8, 9), moments, 2)
        expected = 4 * math.sqrt(5) * waves * 0.5 / 0.3**2
        assert -linear / (2 * square) == pytest.approx(expected, rel=0.12)


def test_flipping_the_even_modes_mirrors_the_psf_in_z():
    flipped = GAMMA * torch.tensor([-1, -1, 1, 1, 1, 1, -1])
    model = pupil(shape=(17, 96, 80))
    psf, mirrored = model.psf(GAMMA), model.psf(flipped)
    torch.testing.assert_close(mirrored[1:], psf[1:].flip(0), rtol=0, atol=1e-8)


def test_a_light_sheet_multiplies_by_its_profile():
    plain, lit = pupil().psf(GAMMA), pupil(light_sheet_fwhm_um=0.8).psf(GAMMA)
    share = lit.sum((1, 2)) / plain.sum((1, 2))
    # At half the width, two planes of 0.2 µm from the middle, half of the light.
    assert float(share[2] / share[0]) == pytest.approx(0.5, rel=1e-3)
    assert float(share[-2] / share[0]) == pytest.approx(0.5, rel=1e-3)


def test_broadening_adds_variance():
    widths = []
    for broadening in (0.0, 1.5):
        profile = pupil(broadening_px=broadening, shape=(4, 96, 96)).psf(GAMMA)[0].sum(0)
        spectrum = torch.fft.rfft(profile).abs()
        widths.append(float(-torch.log(spectrum[4] / spectrum[0])))
    frequency = 4 / 96
    assert widths[1] - widths[0] == pytest.approx(2 * (math.pi * 1.5 * frequency) ** 2, rel=0.01)


@pytest.mark.parametrize("options", [{}, {"light_sheet_fwhm_um": 0.7, "broadening_px": 0.4}])
@pytest.mark.parametrize("optics", [OPTICS, OPTICS.model_copy(update={"pixel_size_um": 0.11})])
@pytest.mark.parametrize("shape", [(6, 32, 36), (5, 27, 35)])
def test_derivatives_are_finite_differences(optics, options, shape):
    model = pupil(optics, shape=shape, **options)
    weights = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    aberrated = model.at(GAMMA)
    slope = aberrated.slope(torch.fft.rfftn(weights))
    transfers = list(aberrated.transfer_slopes())
    for index in range(7):
        shift = torch.zeros(7)
        shift[index] = 0.005
        difference = (model.psf(GAMMA + shift) - model.psf(GAMMA - shift)) / 0.01
        expected = float((difference * weights).sum())
        assert float(slope[index]) == pytest.approx(expected, rel=0.02, abs=2e-4)
        by_transfer = torch.fft.irfftn(transfers[index], s=shape)
        error = (by_transfer - difference).abs().max() / difference.abs().max()
        assert float(error) < 0.02


def test_a_wrong_number_of_coefficients_is_refused():
    with pytest.raises(ValueError, match="expected 7 coefficients"):
        pupil(shape=(4, 32, 32)).psf(torch.zeros(6))


@pytest.mark.parametrize("pixel_size_um", [0.08, 0.13])
@pytest.mark.parametrize("light_sheet_fwhm_um", [None, 1.5])
def test_planes_one_by_one_are_those_of_all(pixel_size_um, light_sheet_fwhm_um):
    optics = OPTICS.model_copy(update={"pixel_size_um": pixel_size_um})
    known = {"light_sheet_fwhm_um": light_sheet_fwhm_um, "broadening_px": 0.3}
    planes = pupil(optics, shape=(6, 50, 48), **known).at(GAMMA).planes
    one = pupil(optics, shape=(1, 50, 48), **known)
    z_um = Z_STEP * np.fft.fftfreq(6, 1 / 6)
    found = torch.cat([one.planes_at(GAMMA, z_um[z : z + 2]) for z in (0, 2, 4)])
    torch.testing.assert_close(found, planes, rtol=1e-5, atol=1e-5 * float(planes.abs().max()))
