"""Zernike modes beside those of zernpy."""

import numpy as np
import pytest

from napari_deepblur.optics.zernike import noll_to_radial_azimuthal, zernike

zernpy = pytest.importorskip("zernpy")


@pytest.mark.parametrize("noll_index", range(1, 46))
def test_same_modes_as_zernpy(noll_index):
    mode = zernpy.ZernPol(noll_index=noll_index)
    n, m = noll_to_radial_azimuthal(noll_index)
    assert mode.get_mn_orders() == (m, n)
    rho, theta = np.sqrt(np.linspace(0, 1, 50)), np.linspace(0, 2 * np.pi, 50)
    np.testing.assert_allclose(
        zernike(noll_index, rho, theta), mode.polynomial_value(rho, theta), atol=1e-11
    )
