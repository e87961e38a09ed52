"""Zernike modes: Noll's order, orthonormality, names."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_deepblur.optics.zernike import mode_name, noll_to_radial_azimuthal, zernike

# Noll (1976), table I; m < 0 are the sines.
NOLL_TABLE = {
    1: (0, 0),
    2: (1, 1),
    3: (1, -1),
    4: (2, 0),
    5: (2, -2),
    6: (2, 2),
    7: (3, -1),
    8: (3, 1),
    9: (3, -3),
    10: (3, 3),
    11: (4, 0),
    12: (4, 2),
    13: (4, -2),
    14: (4, 4),
    15: (4, -4),
    16: (5, 1),
    17: (5, -1),
    18: (5, 3),
    19: (5, -3),
    20: (5, 5),
    21: (5, -5),
    22: (6, 0),
}


@pytest.mark.parametrize(("noll_index", "orders"), NOLL_TABLE.items())
def test_noll_table(noll_index, orders):
    assert noll_to_radial_azimuthal(noll_index) == orders


@given(st.integers(1, 100_000))
def test_orders_are_valid_and_in_noll_order(noll_index):
    n, m = noll_to_radial_azimuthal(noll_index)
    assert 0 <= abs(m) <= n
    assert (n - abs(m)) % 2 == 0
    assert m == 0 or (m > 0) == (noll_index % 2 == 0)
    following = noll_to_radial_azimuthal(noll_index + 1)
    assert (n, abs(m)) <= (following[0], abs(following[1]))
    assert following != (n, m)


@pytest.mark.parametrize("noll_index", [0, -3])
def test_noll_indices_start_at_one(noll_index):
    with pytest.raises(ValueError, match=f"start at 1, got {noll_index}"):
        noll_to_radial_azimuthal(noll_index)


def test_orthonormal_on_the_disc():
    nodes, weights = np.polynomial.legendre.leggauss(12)
    radii = np.sqrt((nodes + 1) / 2)
    angles = 2 * np.pi * np.arange(40) / 40
    rho, theta = np.meshgrid(radii, angles, indexing="ij")
    measure = np.repeat(weights / 2, 40) / 40
    modes = np.array([zernike(j, rho, theta).ravel() for j in range(1, 46)])
    np.testing.assert_allclose(modes * measure @ modes.T, np.eye(45), atol=1e-12)


def test_parity_of_a_mode_is_that_of_its_degree():
    rho, theta = np.linspace(0, 1, 9), np.linspace(0, 6, 9)
    for noll_index in range(1, 46):
        n, _ = noll_to_radial_azimuthal(noll_index)
        opposite = zernike(noll_index, rho, theta + np.pi)
        np.testing.assert_allclose(
            opposite, (-1) ** n * zernike(noll_index, rho, theta), atol=1e-12
        )


def test_low_modes_in_closed_form():
    rho, theta = np.linspace(0, 1, 9), np.linspace(0, 6, 9)
    np.testing.assert_allclose(zernike(2, rho, theta), 2 * rho * np.cos(theta), atol=1e-14)
    np.testing.assert_allclose(zernike(4, rho, theta), np.sqrt(3) * (2 * rho**2 - 1), atol=1e-14)
    np.testing.assert_allclose(
        zernike(11, rho, theta), np.sqrt(5) * (6 * rho**4 - 6 * rho**2 + 1), atol=1e-14
    )


def test_mode_names():
    assert mode_name(4) == "defocus"
    assert mode_name(11) == "spherical"
    assert mode_name(23) == "mode 23"
