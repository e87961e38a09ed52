"""Thin-plate splines through scattered, noisy values, at every degree of smoothing at once.

Source: G. Wahba, *Spline models for observational data*, SIAM (1990); S. N. Wood, "Thin plate
regression splines", J. R. Stat. Soc. B 65 (2003).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["FEWEST_PLACES", "FieldSpline"]

#: Points that bend the spline, at most: the cost grows with their cube.
_MOST_KNOTS = 300

#: Degrees of smoothing that are tried, from nearly none to nearly a plane.
_N_SMOOTHINGS = 14

#: Directions weaker than this, relative to the strongest, are rounding.
_RANK = 1e-10

#: Fewer places do not tell a slope from noise.
FEWEST_PLACES = 4

Floats = NDArray[np.float64]


class FieldSpline:
    """Splines through values at fixed places, in a basis in which smoothing is a factor.

    The spline minimises Σ (y - f)² / σ² + λ J(f), J being the bending energy: planes are free.
    In the basis that diagonalises both terms (Demmler & Reinsch) the spline of every λ is one
    sum with other factors, and so is what it would be at a place whose own value is left out.

    Parameters
    ----------
    field_yx
        Places, shape (n, 2). They may coincide or lie in a line.
    variance
        σ² of each place's values, shape (n,); all 0: the spline passes through them, if they are
        300 or fewer.
    """

    def __init__(self, field_yx: Floats, variance: Floats) -> None:
        self.is_exact = not variance.any()
        weights = np.ones(len(variance)) if self.is_exact else 1 / variance
        #: Variance of a coordinate of noise alone.
        self.variance = 0.0 if self.is_exact else 1 / float(weights.mean())
        self.weights = weights / weights.mean()
        knots = np.unique(field_yx, axis=0)
        if len(knots) > _MOST_KNOTS:
            knots = np.random.default_rng(0).choice(knots, _MOST_KNOTS, axis=0, replace=False)
        self._knots = knots
        # Bends hold no plane: their factors are orthogonal to all of them.
        self._bends = np.linalg.qr(_planes(knots), mode="complete")[0][:, 3:]
        self._root = np.sqrt(self.weights)[:, None]
        design = self._root * self._terms(field_yx)
        left, scale, right = np.linalg.svd(design, full_matrices=False)
        kept = scale > _RANK * scale[0]
        to_terms = right[kept].T / scale[kept]
        bending = np.zeros((len(right.T), len(right.T)))
        bending[3:, 3:] = self._bends.T @ _thin_plate(knots, knots) @ self._bends
        stiffness, turn = np.linalg.eigh(to_terms.T @ bending @ to_terms)
        self._stiffness = stiffness.clip(0)
        self._basis = left[:, kept] @ turn
        self._to_terms = to_terms @ turn

    def __len__(self) -> int:
        return len(self.weights)

    @property
    def tells_slopes(self) -> bool:
        """True if there are enough places to see how values change over the field."""
        return len(self) >= FEWEST_PLACES

    def factors(self) -> Floats:
        """Factors (L, R) of the R coordinates at each degree of smoothing."""
        stiff = self._stiffness[3:]
        if self.is_exact or not len(stiff) or stiff[-1] <= 0:
            return np.ones((1, len(self._stiffness)))
        least = max(stiff[0], 1e-12 * stiff[-1])
        smoothing = np.geomspace(0.1 / stiff[-1], 100 / least, _N_SMOOTHINGS)
        return np.asarray(1 / (1 + smoothing[:, None] * self._stiffness))

    def coordinates(self, values: Floats) -> Floats:
        """Project values at the places, shape (n, C), on the basis: (R, C)."""
        return np.asarray(self._basis.T @ (self._root * values))

    def left_out(self, values: Floats, coordinates: Floats, factors: Floats, at: slice) -> Floats:
        """Predict the values at some places from all other places, shape (n', C)."""
        basis = self._basis[at]
        fitted = basis @ (factors[:, None] * coordinates) / self._root[at]
        own = (basis**2 @ factors)[:, None]
        return np.asarray((fitted - own * values[at]) / np.maximum(1 - own, 1e-6))

    def basis_at(self, field_yx: Floats) -> Floats:
        """Evaluate the basis at any places (M, 2), shape (M, R)."""
        return np.asarray(self._terms(field_yx) @ self._to_terms)

    def _terms(self, field_yx: Floats) -> Floats:
        return np.hstack([_planes(field_yx), _thin_plate(field_yx, self._knots) @ self._bends])


def _planes(field_yx: Floats) -> Floats:
    return np.column_stack([np.ones(len(field_yx)), field_yx])


def _thin_plate(one: Floats, other: Floats) -> Floats:
    """r² log r between places (n, 2) and (m, 2), shape (n, m)."""
    squared = np.square(one[:, None] - other).sum(-1)
    return np.asarray(squared * np.log(np.where(squared > 0, squared, 1)) / 2)
