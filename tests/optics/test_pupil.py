"""The PSF of a pupil: closed forms, symmetries, convergence."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import j1

from napari_deepblur import Optics
from napari_deepblur.optics.pupil import Pupil, window_for
from napari_deepblur.optics.zernike import noll_to_radial_azimuthal, zernike

MODES = tuple(range(4, 11))
OPTICS = Optics(numerical_aperture=1.2, wavelength_um=0.52, pixel_size_um=0.1)


def random_coefficients(n, *, n_modes=7, limit=0.15, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return limit * (2 * torch.rand(n, n_modes, generator=generator) - 1)


def radii_of(window):
    axis = np.arange(window) - window // 2
    return np.hypot(axis[:, None], axis)


def fine_psf(gamma, *, cutoff, window, n_radial=90, n_angular=220):
    """The Fourier integral over the disc by a far finer rule, in double precision."""
    nodes, weights = np.polynomial.legendre.leggauss(n_radial)
    rho = 0.5 * (nodes + 1)  # uniform in ρ here, unlike in the package
    theta = 2 * np.pi * (np.arange(n_angular) + 0.5) / n_angular
    rho, theta = (grid.ravel() for grid in np.meshgrid(rho, theta, indexing="ij"))
    measure = np.repeat(weights, n_angular) * rho
    waves = sum(g * zernike(j, rho, theta) for g, j in zip(gamma, MODES, strict=True))
    axis = np.arange(window) - window // 2
    along_y = np.exp(2j * np.pi * cutoff * np.outer(axis, rho * np.sin(theta)))
    along_x = np.exp(2j * np.pi * cutoff * np.outer(rho * np.cos(theta), axis))
    field = measure * np.exp(2j * np.pi * waves)
    intensity = np.abs((along_y * field) @ along_x) ** 2
    return intensity / intensity.sum()


@pytest.mark.parametrize("cutoff", [0.1, 0.25, 0.41])
def test_without_aberrations_it_is_the_airy_pattern(cutoff):
    psf = Pupil(MODES, cutoff=cutoff).psf(torch.zeros(7)).numpy()
    v = 2 * np.pi * cutoff * radii_of(psf.shape[-1])
    v[v == 0] = 1e-9
    np.testing.assert_allclose(psf / psf.max(), (2 * j1(v) / v) ** 2, atol=1e-4)


@pytest.mark.parametrize("cutoff", [0.1, 0.25, 0.41])
def test_quadrature_is_converged(cutoff):
    pupil = Pupil(MODES, cutoff=cutoff)
    for gamma in random_coefficients(3):
        fine = fine_psf(gamma.double().numpy(), cutoff=cutoff, window=pupil.window)
        error = np.abs(pupil.psf(gamma).numpy() - fine).max() / fine.max()
        assert error < 1e-4


def test_high_modes_are_converged_too():
    modes = (4, 11, 22, 45)
    gamma = torch.tensor([0.05, -0.05, 0.05, -0.05])
    few = Pupil(modes, cutoff=0.25).psf(gamma)
    # A larger window brings a finer rule; its centre must not differ.
    many = Pupil(modes, cutoff=0.25, window=71).psf(gamma)[20:51, 20:51]
    torch.testing.assert_close(few, many / many.sum(), rtol=0, atol=1e-4 * float(few.max()))


def test_otf_without_aberrations_is_that_of_a_clear_pupil():
    cutoff = 0.2
    window = 95
    psf = Pupil((4,), cutoff=cutoff, window=window).psf(torch.zeros(1)).double().numpy()
    otf = np.abs(np.fft.fft2(psf))
    radius = np.hypot(np.fft.fftfreq(window)[:, None], np.fft.fftfreq(window))
    s = np.clip(radius / (2 * cutoff), 0, 1)
    expected = 2 / np.pi * (np.arccos(s) - s * np.sqrt(1 - s**2))
    np.testing.assert_allclose(otf, expected, atol=1e-2)


def test_otf_vanishes_beyond_twice_the_cutoff():
    window, cutoff = 95, 0.2
    taper = np.hanning(window + 2)[1:-1]
    for gamma in random_coefficients(3):
        psf = Pupil(MODES, cutoff=cutoff, window=window).psf(gamma).double().numpy()
        # The taper hides the window's edge and smears the spectrum by 2 / window.
        otf = np.abs(np.fft.fft2(psf * taper[:, None] * taper))
        radius = np.hypot(np.fft.fftfreq(window)[:, None], np.fft.fftfreq(window))
        assert otf[radius > 2 * cutoff + 2.5 / window].max() < 1e-4
        assert otf[radius < 1.5 * cutoff].max() > 0.1


def test_strehl_ratio_follows_marechal():
    pupil = Pupil(MODES, cutoff=0.25, window=61)
    peak = float(pupil.psf(torch.zeros(7)).max())
    for direction in torch.nn.functional.normalize(random_coefficients(4), dim=-1):
        for rms in (0.01, 0.03, 0.05):
            strehl = float(pupil.psf(rms * direction)[30, 30]) / peak
            assert strehl == pytest.approx(math.exp(-((2 * math.pi * rms) ** 2)), abs=0.01)


def test_gradient_equals_finite_differences():
    pupil = Pupil(MODES)
    gamma = random_coefficients(1)[0]
    jacobian = torch.autograd.functional.jacobian(pupil.psf, gamma)
    step = 2e-3
    for position in range(len(MODES)):
        shift = torch.zeros(len(MODES))
        shift[position] = step
        difference = (pupil.psf(gamma + shift) - pupil.psf(gamma - shift)) / (2 * step)
        slope = jacobian[..., position]
        assert float((slope - difference).abs().max() / slope.abs().max()) < 2e-3


@given(seed=st.integers(0, 10_000))
@settings(deadline=None, max_examples=10)
def test_twin_and_mirror(seed):
    modes = tuple(range(4, 16))
    pupil = _cached_pupil(modes)
    gamma = random_coefficients(1, n_modes=len(modes), seed=seed)[0]
    even = torch.tensor([noll_to_radial_azimuthal(j)[0] % 2 == 0 for j in modes])
    psf = pupil.psf(gamma)
    twin = pupil.psf(torch.where(even, -gamma, gamma))
    mirror = pupil.psf(-gamma)
    tolerance = 1e-5 * float(psf.max())
    torch.testing.assert_close(twin, psf, rtol=0, atol=tolerance)
    torch.testing.assert_close(mirror, psf.flip((-2, -1)), rtol=0, atol=tolerance)
    # A mirrored PSF is another blur: the test above must not pass by symmetry.
    assert float((mirror - psf).abs().max() / psf.max()) > 1e-2


_PUPILS = {}


def _cached_pupil(modes):
    if modes not in _PUPILS:
        _PUPILS[modes] = Pupil(modes)
    return _PUPILS[modes]


def test_sums_to_one_and_is_never_negative():
    psf = Pupil(MODES).psf(random_coefficients(50, limit=0.5))
    torch.testing.assert_close(psf.sum((-2, -1)), torch.ones(50))
    assert float(psf.min()) >= 0


def test_batches_of_any_shape():
    pupil = Pupil(MODES)
    gamma = random_coefficients(6)
    batch = pupil.psf(gamma.reshape(2, 3, 7))
    assert batch.shape == (2, 3, 31, 31)
    torch.testing.assert_close(batch[1, 2], pupil.psf(gamma[5]))


@pytest.mark.parametrize(("cutoff", "window"), [(0.25, 31), (0.125, 61), (0.5, 17), (0.3, 27)])
def test_window_shows_the_same_of_the_psf(cutoff, window):
    assert window_for(cutoff) == window
    assert Pupil((4,), cutoff=cutoff).window == window


@given(st.floats(0.02, 0.5))
def test_window_is_odd_and_covers_the_canonical_extent(cutoff):
    window = window_for(cutoff)
    assert window % 2 == 1
    assert (window // 2 + 1e-6) * cutoff >= 15 * 0.25 - 1e-6
    assert (window // 2 - 1) * cutoff < 15 * 0.25


def test_depth_needs_optics():
    with pytest.raises(ValueError, match="optics"):
        Pupil(MODES).psf(torch.zeros(7), defocus_um=1.0)


def test_defocus_is_symmetric_without_aberrations_only():
    pupil = Pupil(MODES, optics=OPTICS)
    depths = torch.tensor([-0.8, 0.0, 0.8])
    below, focus, above = pupil.psf(torch.zeros(3, 7), defocus_um=depths)
    torch.testing.assert_close(below, above, rtol=0, atol=1e-5 * float(focus.max()))
    torch.testing.assert_close(focus, pupil.psf(torch.zeros(7)), rtol=0, atol=1e-6)
    assert float(above.max()) < 0.8 * float(focus.max())
    gamma = random_coefficients(1, seed=3)
    below, above = pupil.psf(gamma, defocus_um=depths[[0, 2]])
    assert float((below - above).abs().max() / below.max()) > 0.05


def test_small_depth_is_the_defocus_mode():
    """In the paraxial limit, z adds −z NA² / (4 √3 n λ) waves of Noll 4."""
    optics = Optics(
        numerical_aperture=0.2, wavelength_um=0.5, pixel_size_um=0.6, refractive_index=1.0
    )
    pupil = Pupil((4,), cutoff=optics.cutoff, optics=optics)
    depth = 5.0
    waves = -depth * 0.2**2 / (4 * math.sqrt(3) * 0.5)
    by_depth = pupil.psf(torch.tensor([0.08]), defocus_um=depth)
    by_mode = pupil.psf(torch.tensor([0.08 + waves]))
    torch.testing.assert_close(by_depth, by_mode, rtol=0, atol=3e-3 * float(by_mode.max()))


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        ({"cutoff": 0.0}, "cutoff must be positive"),
        ({"cutoff": -0.2}, "cutoff must be positive"),
        ({"window": 30}, "odd and positive, got 30"),
        ({"window": -1}, "odd and positive"),
    ],
)
def test_bad_arguments(arguments, fragment):
    with pytest.raises(ValueError, match=fragment):
        Pupil(MODES, **arguments)


def test_wrong_number_of_coefficients():
    with pytest.raises(ValueError, match="expected 7 coefficients.*got 5"):
        Pupil(MODES).psf(torch.zeros(5))


@pytest.mark.parametrize("cutoff", [0.1, 0.25])
def test_slopes_are_the_derivatives(cutoff):
    pupil = Pupil(MODES, cutoff=cutoff)
    gamma = random_coefficients(3).requires_grad_()
    psf = pupil.psf(gamma)
    pixels = torch.randn(psf.shape, generator=torch.Generator().manual_seed(1))
    (psf * pixels).sum().backward()
    same, slopes = pupil.psf_and_slopes(gamma.detach())
    torch.testing.assert_close(same, psf.detach())
    by_slopes = torch.einsum("npyx,nyx->np", slopes, pixels)
    torch.testing.assert_close(by_slopes, gamma.grad, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("window", [31, 61])
def test_factorised_and_dense_kernels_agree(window, monkeypatch):
    """The two forms of one integral, and their derivatives."""
    from napari_deepblur.optics import pupil as module

    gamma = random_coefficients(5)
    answers = []
    for largest in (1000, 0):
        monkeypatch.setattr(module, "_LARGEST_DENSE_WINDOW", largest)
        monkeypatch.setattr(module, "_CHUNK", 1)  # one PSF at a time
        pupil = Pupil(MODES, window=window)
        answers.append(pupil.psf_and_slopes(gamma))
    (dense, dense_slope), (factorised, factorised_slope) = answers
    torch.testing.assert_close(factorised, dense, rtol=1e-4, atol=1e-7)
    torch.testing.assert_close(factorised_slope, dense_slope, rtol=1e-3, atol=1e-6)


def test_large_windows_have_no_dense_kernel():
    buffers = dict(Pupil(MODES, window=95, optics=OPTICS).named_buffers())
    assert sum(values.numel() for values in buffers.values()) < 5_000_000


def test_quadrature_is_converged_far_out_of_focus(monkeypatch):
    from napari_deepblur.optics import pupil as module

    optics = Optics(numerical_aperture=1.3, wavelength_um=0.52, pixel_size_um=0.1)
    gamma = random_coefficients(2)
    psf = Pupil(MODES, window=95, optics=optics).psf(gamma, defocus_um=3.0)
    monkeypatch.setattr(module, "_DEGREE_OF_DEPTH", 30)
    fine = Pupil(MODES, window=95, optics=optics).psf(gamma, defocus_um=3.0)
    torch.testing.assert_close(psf, fine, rtol=0, atol=1e-3 * float(fine.max()))
