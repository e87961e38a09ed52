"""Smooth maps over the field through scattered, noisy values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.calibration.fit.spline import FieldSpline

__all__ = ["FieldMaps", "fit_maps", "nodes"]

#: Places that are left out in turn to choose the smoothing, at most.
_MOST_LEFT_OUT = 400

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FieldMaps:
    """Values as functions of the place: a constant and what varies.

    Attributes
    ----------
    spline
        Spline through the places where values were measured.
    constant
        Constant part of each value, shape (C,).
    coordinates
        Coordinates of the varying part in the spline's basis, shape (R, C).
    constant_variance
        Variance of the noise that is left in the constant, shape (C,).
    variance
        Variance of the noise that is left in a coordinate, shape (R, C).
    """

    spline: FieldSpline
    constant: Floats
    coordinates: Floats
    constant_variance: Floats
    variance: Floats

    def at(self, field_yx: Floats) -> Floats:
        """Values at normalised field coordinates (M, 2), shape (M, C)."""
        return np.asarray(self.constant + self.spline.basis_at(field_yx) @ self.coordinates)

    def noise_power(self, field_yx: Floats) -> float:
        """Sum of the noise's variance over places (M, 2) and all values."""
        varying = np.square(self.spline.basis_at(field_yx)) @ self.variance
        return float((self.constant_variance + varying).sum())


def nodes(n_nodes: int) -> Floats:
    """Normalised coordinates of n_nodes × n_nodes places, border to border: (n², 2)."""
    axis = np.linspace(-1, 1, n_nodes)
    return np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)


def fit_maps(spline: FieldSpline, values: Floats, groups: NDArray[np.int_]) -> FieldMaps:
    """Smooth maps through values at places, as smooth as leaving one out finds best.

    Values of one group share their smoothing. Besides, the constant part of each group is
    shrunk by the share that noise has in it, and the varying part by how well it predicts
    values that were left out: what is noise alone becomes 0.

    Source: W. James & C. Stein, "Estimation with quadratic loss", Proc. 4th Berkeley Symp. 1
    (1961); L. Breiman, "Stacked regressions", Mach. Learn. 24 (1996).

    Parameters
    ----------
    spline
        Spline through the places.
    values
        Values at the places, shape (n, C).
    groups
        Number of each column's group, shape (C,).
    """
    weights = spline.weights[:, None]
    mean = (weights * values).mean(0)
    coordinates = spline.coordinates(values)
    unit = spline.coordinates(np.ones((len(values), 1)))
    variance_of_mean = spline.variance / len(values)
    shares, varying = np.empty_like(mean), np.zeros_like(coordinates)
    variance = np.zeros_like(coordinates)
    for group in np.unique(groups):
        own = groups == group
        shares[own] = _real_share(mean[own], variance_of_mean)
        if not spline.tells_slopes:
            continue
        factors, share = _best(spline, values[:, own], mean[own], coordinates[:, own])
        deviation = coordinates[:, own] - unit * mean[own]
        varying[:, own] = share * factors[:, None] * deviation
        variance[:, own] = spline.variance * np.square(share * factors[:, None])
    return FieldMaps(spline, shares * mean, varying, shares**2 * variance_of_mean, variance)


def _real_share(mean: Floats, variance: float) -> float:
    power = float(np.square(mean).sum())
    return max(0.0, 1 - variance * len(mean) / power) if power else 0.0


def _best(
    spline: FieldSpline, values: Floats, mean: Floats, coordinates: Floats
) -> tuple[Floats, float]:
    """Factors of the best smoothing, and the share of the varying part that is real."""
    if spline.is_exact:
        return spline.factors()[0], 1.0
    some = slice(None, None, -(-len(spline) // _MOST_LEFT_OUT))
    weights = spline.weights[some, None]
    total = len(spline)
    left_out_mean = (total * mean - weights * values[some]) / (total - weights)
    rest = values[some] - left_out_mean
    best, smallest = (spline.factors()[-1], 0.0), float((weights * rest**2).sum())
    for factors in spline.factors():
        varying = spline.left_out(values, coordinates, factors, some) - left_out_mean
        power = float((weights * varying**2).sum())
        share = float(np.clip((weights * rest * varying).sum() / max(power, 1e-300), 0, 1))
        error = float((weights * (rest - share * varying) ** 2).sum())
        if error < smallest:
            best, smallest = (factors, share), error
    return best
