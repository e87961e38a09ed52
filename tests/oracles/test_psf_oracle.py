"""PSFs beside those of psf-generator and of a large Fourier transform."""

import math

import numpy as np
import pytest
import torch

from napari_deepblur import Optics
from napari_deepblur.optics.pupil import Pupil
from napari_deepblur.optics.pupil_3d import Pupil3d
from napari_deepblur.optics.zernike import noll_to_radial_azimuthal, zernike

MODES = tuple(range(4, 11))
WINDOW = 31
# Position in psf-generator's list (OSA order) of each Noll mode.
OSA_INDEX = {4: 4, 5: 3, 6: 5, 7: 7, 8: 8, 9: 6, 10: 9}


def oracle(
    numerical_aperture, *, coefficients=None, depth_um=None, spherical=False
) -> torch.Tensor:
    """PSFs of psf-generator at the canonical cutoff: at focus, or at ∓ a depth."""
    propagators = pytest.importorskip("psf_generator.propagators")
    wavelength_nm = 520.0
    pixel_nm = 0.25 * wavelength_nm / numerical_aperture
    arguments = {} if spherical else {"sz_correction": False}
    name = "ScalarSphericalPropagator" if spherical else "ScalarCartesianPropagator"
    propagator = getattr(propagators, name)(
        n_pix_pupil=401,
        n_pix_psf=WINDOW,
        wavelength=wavelength_nm,
        na=numerical_aperture,
        # Its first and last pixel lie on the edges of the field.
        pix_size=pixel_nm * (WINDOW - 1) / WINDOW,
        n_i=1.518,
        n_i0=1.518,
        zernike_coefficients=coefficients,
        defocus_step=0 if depth_um is None else 1000 * depth_um,
        n_defocus=1 if depth_um is None else 2,
        **arguments,
    )
    intensity = propagator.compute_focus_field().abs().square().sum(1)
    return intensity / intensity.sum((-2, -1), keepdim=True)


def optics_for(numerical_aperture):
    return Optics(
        numerical_aperture=numerical_aperture,
        wavelength_um=0.52,
        pixel_size_um=0.25 * 0.52 / numerical_aperture,
    )


def relative_error(psf, expected):
    return float((psf - expected).abs().max() / expected.max())


def test_airy_pattern_of_both_propagators():
    psf = Pupil(MODES).psf(torch.zeros(7))
    assert relative_error(psf, oracle(0.3)[0]) < 1e-3
    assert relative_error(psf, oracle(0.1, spherical=True)[0]) < 1e-3


@pytest.mark.parametrize(("numerical_aperture", "depth_um"), [(0.3, 8.0), (1.2, 1.0), (1.4, 0.5)])
def test_defocus_in_micrometres(numerical_aperture, depth_um):
    pupil = Pupil(MODES, optics=optics_for(numerical_aperture))
    psf = pupil.psf(torch.zeros(2, 7), defocus_um=torch.tensor([-depth_um, depth_um]))
    focus = pupil.psf(torch.zeros(7))
    error = (psf - oracle(numerical_aperture, depth_um=depth_um)).abs().max()
    assert float(error / focus.max()) < 5e-4
    assert float(psf.max()) < 0.7 * float(focus.max())  # it is out of focus indeed


@pytest.mark.parametrize("noll_index", MODES)
def test_each_aberration(noll_index):
    waves = 0.12
    n, m = noll_to_radial_azimuthal(noll_index)
    # Its modes have unit amplitude and coefficients in radians.
    amplitude = math.sqrt(n + 1) * (1 if m == 0 else math.sqrt(2))
    coefficients = [0.0] * 10
    coefficients[OSA_INDEX[noll_index]] = 2 * math.pi * waves * amplitude
    gamma = torch.zeros(7)
    gamma[noll_index - 4] = waves
    psf = Pupil(MODES).psf(gamma)
    expected = oracle(0.3, coefficients=coefficients)[0]
    assert relative_error(psf, expected) < 2e-3


def test_large_fourier_transform():
    """A disc of 4 × 4-fold supersampled pixels, transformed by numpy."""
    side, cutoff = 512, 0.25
    fine = (np.arange(4 * side) + 0.5) / 4 - 0.5 - side / 2
    ky, kx = (axis / (side * cutoff) for axis in np.meshgrid(fine, fine, indexing="ij"))
    rho, theta = np.hypot(kx, ky), np.arctan2(ky, kx)
    gamma = torch.tensor([0.1, -0.05, 0.08, 0.1, -0.12, 0.05, 0.02])
    inside = rho <= 1
    phase = np.zeros_like(rho)
    for noll_index, waves in zip(MODES, gamma.tolist(), strict=True):
        phase[inside] += 2 * np.pi * waves * zernike(noll_index, rho[inside], theta[inside])
    pupil = (inside * np.exp(1j * phase)).reshape(side, 4, side, 4).mean((1, 3))
    amplitude = np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(pupil)))
    centre = slice(side // 2 - WINDOW // 2, side // 2 + WINDOW // 2 + 1)
    intensity = torch.from_numpy(np.abs(amplitude[centre, centre]) ** 2).float()
    expected = intensity / intensity.sum()
    assert relative_error(Pupil(MODES).psf(gamma), expected) < 2e-3


def in_focus_and_beyond(numerical_aperture, depth_um, broadening_px=0.0):
    """Planes of the 3-D pupil at ∓ a depth, without the pixel's area, shape (2, 31, 31)."""
    pupil = Pupil3d(
        MODES,
        optics=optics_for(numerical_aperture),
        z_step_um=depth_um,
        shape=(3, 240, 240),
    )
    pupil.lateral.fill_(1)
    planes = pupil.psf(torch.zeros(7)).roll((1, 15, 15), (0, 1, 2))[[0, 2], :WINDOW, :WINDOW]
    return planes / planes.sum((-2, -1), keepdim=True)


def test_planes_of_the_3d_pupil_at_a_small_aperture():
    expected = oracle(0.3, depth_um=8.0)
    assert relative_error(in_focus_and_beyond(0.3, 8.0), expected) < 0.02
