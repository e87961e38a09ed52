"""Hermite functions on pixels: where PSFs are simple, order by order.

Source: A. Refregier, "Shapelets: I. A method for image analysis", Mon. Not. R. Astron. Soc. 338
(2003).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["HermiteBasis"]

#: Width of the Gaussian in the functions by that of the Gaussian most like the PSF: tails and
#: rings then need fewest orders.
_BROADER = 1.4

#: From this order on, several orders form a group: single ones hold hardly any light.
_FINE_ORDERS, _ORDERS_PER_GROUP = 16, 4

_N_WIDTHS = 40

Floats = NDArray[np.float64]


class HermiteBasis:
    """Orthonormal basis of all windows of pixels, from smooth and central to fine and far.

    Products of one-dimensional functions, which are the Hermite functions of a width made
    orthonormal on the pixels. White noise stays white in it.

    Parameters
    ----------
    psf
        A typical PSF, which sets the width, shape (window, window).
    """

    def __init__(self, psf: Floats) -> None:
        self._functions = _hermite_functions(len(psf), _BROADER * _width(psf))
        number = np.arange(len(psf))
        order = np.add.outer(number, number).ravel()
        coarse = _FINE_ORDERS + (order - _FINE_ORDERS) // _ORDERS_PER_GROUP
        #: Group of orders that each function belongs to, shape (window²,).
        self.groups = np.where(order < _FINE_ORDERS, order, coarse)

    def encode(self, psfs: Floats) -> Floats:
        """PSFs (n, window, window) to coefficients (n, window²)."""
        turned = self._functions.T @ psfs @ self._functions
        return np.asarray(turned.reshape(len(psfs), -1))

    def decode(self, coefficients: Floats) -> Floats:
        """Coefficients (n, window²) to PSFs (n, window, window)."""
        side = len(self._functions)
        square = coefficients.reshape(-1, side, side)
        return np.asarray(self._functions @ square @ self._functions.T)


def _width(psf: Floats) -> float:
    """Find the standard deviation of the centred Gaussian that correlates best, pixels."""
    pixels = np.arange(len(psf)) - len(psf) // 2
    widths = np.geomspace(0.4, len(psf) / 4, _N_WIDTHS)
    bells = np.exp(-(pixels**2) / (2 * widths[:, None] ** 2))
    bells /= np.linalg.norm(bells, axis=1, keepdims=True)
    return float(widths[np.argmax(np.einsum("ly,yx,lx->l", bells, psf, bells))])


def _hermite_functions(side: int, width: float) -> Floats:
    """One function per column, shape (side, side).

    Each is x times the one before, made orthogonal to all before it.
    """
    x = (np.arange(side) - side // 2) / width
    functions = np.zeros((side, side))
    new = np.exp(-(x**2) / 2)
    for number in range(side):
        functions[:, number] = new / np.linalg.norm(new)
        new = x * functions[:, number]
        for _ in range(2):  # once leaves rounding errors that grow
            known = functions[:, : number + 1]
            new = new - known @ (known.T @ new)
    return functions
