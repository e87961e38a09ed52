"""The widefield family: the PSF of a pupil, broadened by a Gaussian."""

import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import fft
from torch.nn import functional

from napari_deepblur.operators import WidefieldFamily, ZernikeFamily

MODES = torch.tensor([0.05, -0.03, 0.08, 0.0, 0.02, -0.06, 0.01, 0.04])


@pytest.fixture(scope="module")
def family():
    return WidefieldFamily()


def with_width(width):
    return torch.cat([MODES, torch.tensor([width])])


def test_spherical_aberration_and_a_width_are_among_the_coefficients(family):
    assert family.n_coefficients == 9
    assert family.coefficient_names[-2].startswith("Z11 ")
    assert "spherical" in family.coefficient_names[-2]
    assert "extra blur" in family.coefficient_names[-1]


def test_the_width_is_never_negative(family):
    bounds = family.admissible_set
    assert float(bounds.low[-1]) == 0
    assert float(bounds.high[-1]) == pytest.approx(1.5)
    projected = bounds.project(with_width(-0.3))
    assert float(projected[-1]) == 0
    assert float(bounds.twin(with_width(0.3))[-1]) == pytest.approx(0.3)


def test_without_width_it_is_the_pupils_psf(family):
    pupil = ZernikeFamily(range(4, 12))
    torch.testing.assert_close(family.psf(with_width(0.0)), pupil.psf(MODES), rtol=0, atol=1e-6)


@pytest.mark.parametrize("cutoff", [0.125, 0.2, 0.25])
def test_the_width_is_that_of_a_gaussian_filter_in_units_of_quarter_wavelengths(family, cutoff):
    # In pixels of any size: 1 is a pixel at the canonical cutoff 0.25.
    width, other = 0.8, family.at_cutoff(cutoff)
    sharp = ZernikeFamily(range(4, 12), cutoff=cutoff).psf(MODES).numpy()
    expected = gaussian_filter(sharp, width * 0.25 / cutoff, mode="constant", truncate=8)
    found = other.psf(with_width(width))
    assert float(found.sum()) == pytest.approx(1, abs=1e-6)
    # The filter samples its kernel, which matters where it is narrow.
    error = (found - torch.from_numpy(expected)).norm() / found.norm()
    assert float(error) < 0.01


def test_batches_have_a_psf_each(family):
    rows = torch.stack([with_width(0.0), with_width(1.0)])
    psfs = family.psf(rows)
    torch.testing.assert_close(psfs[1], family.psf(rows[1]))
    assert float(psfs[1].max()) < float(psfs[0].max())


@pytest.mark.parametrize("family", [ZernikeFamily(), WidefieldFamily()], ids=["zernike", "wide"])
def test_transfer_power_and_its_slopes(family):
    gamma = family.admissible_set.sample(1, seed=1)[0]
    power, slopes = family.transfer_power(gamma, 64)
    assert power.shape == (64, 33)
    assert slopes.shape == (family.n_coefficients, 64, 33)
    # The PSF is cut off at its window, which the transfer power of the broad one is not.
    padded = functional.pad(family.psf(gamma), (0, 33, 0, 33))
    torch.testing.assert_close(power, fft.rfft2(padded).abs().square(), rtol=0, atol=0.01)
    step = 1e-3
    for index in range(family.n_coefficients):
        high, low = gamma.clone(), gamma.clone()
        high[index] += step
        low[index] -= step
        by_difference = family.transfer_power(high, 64)[0] - family.transfer_power(low, 64)[0]
        torch.testing.assert_close(slopes[index], by_difference / (2 * step), rtol=0, atol=2e-3)
