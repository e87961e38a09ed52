import numpy as np
import pytest

from helpers.bead_images import true_psfs
from napari_deepblur.calibration.fit.hermite import HermiteBasis

PSF = true_psfs([[0.0, 0.0]])[0]


@pytest.mark.parametrize("side", [9, 21, 63])
def test_all_windows_are_combinations(side):
    axis = np.arange(side) - side // 2
    bell = np.exp(-(axis**2) / (2 * (side / 10) ** 2))
    basis = HermiteBasis(np.outer(bell, bell))
    windows = np.random.default_rng(0).standard_normal((3, side, side))
    coefficients = basis.encode(windows)
    np.testing.assert_allclose(basis.decode(coefficients), windows, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(coefficients), np.linalg.norm(windows))


def test_a_psf_is_in_the_first_groups():
    basis = HermiteBasis(PSF)
    power = np.square(basis.encode(PSF[None])[0])
    by_group = np.bincount(basis.groups, power)
    assert by_group[:5].sum() > 0.98 * power.sum()
    assert by_group.sum() == pytest.approx(np.square(PSF).sum())


def test_groups_hold_whole_orders():
    groups = HermiteBasis(PSF).groups.reshape(PSF.shape)
    order = np.add.outer(np.arange(len(PSF)), np.arange(len(PSF)))
    assert (groups[order < 16] == order[order < 16]).all()
    for number in range(groups.max() + 1):
        assert (groups == number).any()
    assert (np.diff(groups, axis=0) >= 0).all()
