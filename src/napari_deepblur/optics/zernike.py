"""Zernike modes on the unit disc, in Noll's order and normalisation.

Source: R. J. Noll, "Zernike polynomials and atmospheric turbulence",
J. Opt. Soc. Am. 66, 207 (1976).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["MODE_NAMES", "mode_name", "noll_to_radial_azimuthal", "zernike"]

#: Names of the modes that microscopists meet, by Noll index.
MODE_NAMES = {
    1: "piston",
    2: "tip",
    3: "tilt",
    4: "defocus",
    5: "oblique astigmatism",
    6: "vertical astigmatism",
    7: "vertical coma",
    8: "horizontal coma",
    9: "vertical trefoil",
    10: "oblique trefoil",
    11: "spherical",
    12: "vertical secondary astigmatism",
    13: "oblique secondary astigmatism",
    14: "vertical quadrafoil",
    15: "oblique quadrafoil",
    16: "horizontal secondary coma",
    17: "vertical secondary coma",
    18: "oblique secondary trefoil",
    19: "vertical secondary trefoil",
    20: "oblique pentafoil",
    21: "vertical pentafoil",
    22: "secondary spherical",
}


def mode_name(noll_index: int) -> str:
    """Name of a mode, such as ``defocus``; ``mode 23`` where it has none."""
    return MODE_NAMES.get(noll_index, f"mode {noll_index}")


def noll_to_radial_azimuthal(noll_index: int) -> tuple[int, int]:
    """Convert a Noll index to radial degree n and signed azimuthal order m (m < 0: sine).

    Raises
    ------
    ValueError
        If the index is smaller than 1.
    """
    if noll_index < 1:
        raise ValueError(f"Noll indices start at 1, got {noll_index}")
    n = (math.isqrt(8 * noll_index - 7) - 1) // 2
    rest = noll_index - n * (n + 1) // 2 - 1
    m = 2 * ((rest + 1) // 2) if n % 2 == 0 else 2 * (rest // 2) + 1
    return n, m if noll_index % 2 == 0 else -m


def zernike(
    noll_index: int, rho: NDArray[np.float64], theta: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Compute a mode at polar coordinates, orthonormal on the disc: its mean square is 1.

    Parameters
    ----------
    noll_index
        Index from 1 (piston).
    rho
        Radius, 1 at the pupil's edge; any shape.
    theta
        Angle from the x axis in radians, same shape.

    Returns
    -------
        Values of the mode, same shape.
    """
    from scipy.special import eval_jacobi

    n, m = noll_to_radial_azimuthal(noll_index)
    order = abs(m)
    # The radial polynomial as a Jacobi polynomial: stable for any degree.
    radial = rho**order * eval_jacobi((n - order) // 2, 0, order, 2 * rho**2 - 1)
    if m == 0:
        return np.asarray(math.sqrt(n + 1) * radial)
    angular = np.cos(m * theta) if m > 0 else np.sin(order * theta)
    return np.asarray(math.sqrt(2 * (n + 1)) * radial * angular)
