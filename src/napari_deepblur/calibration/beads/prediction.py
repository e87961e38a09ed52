"""Prediction of a bead from the beads around it: the PSF changes smoothly over the field."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["local_median", "smooth_prediction"]

#: Highest degree of the polynomials, and beads that each of their terms needs.
_HIGHEST_DEGREE, _BEADS_PER_TERM = 5, 4

_MOST_COMPONENTS = 8

_N_NEIGHBOURS = 9

Floats = NDArray[np.float64]


def local_median(patches: Floats, places: Floats) -> Floats:
    """Median of each bead's nearest nine, itself among them: what most of them agree on.

    Parameters
    ----------
    patches
        Shape (n, h, w).
    places
        Points of the field, shape (n, 2).

    Returns
    -------
        Shape (n, h, w).
    """
    from scipy.spatial import KDTree

    nearest = KDTree(places).query(places, min(_N_NEIGHBOURS, len(places)))[1]
    return np.stack([np.median(patches[i], axis=0) for i in nearest.reshape(len(places), -1)])


def smooth_prediction(patches: Floats, places: Floats, weights: Floats) -> Floats:
    """Mean bead and principal components whose strengths are polynomials of the place.

    The degree of each, up to 5, is the one that predicts beads best that were left out; leaving
    one out of a linear regression needs no new fit. Components of noise alone get degree 0.

    Parameters
    ----------
    patches
        Shape (n, h, w).
    places
        Field coordinates in [-1, 1], shape (n, 2).
    weights
        Say of each bead, 0 or more, not all 0, shape (n,).

    Returns
    -------
        Each bead as the others predict it, shape (n, h, w).
    """
    values = patches.reshape(len(patches), -1)
    weights = weights / weights.sum()
    mean = weights @ values
    deviations = values - mean
    n_components = min(_MOST_COMPONENTS, np.count_nonzero(weights) // _BEADS_PER_TERM)
    # The eigenvectors of the smaller square matrix give the components.
    rows = np.sqrt(weights)[:, None] * deviations
    components = np.linalg.svd(rows, full_matrices=False)[2][:n_components]
    strengths = _smooth(deviations @ components.T, places, weights)
    return np.asarray(mean + strengths @ components).reshape(patches.shape)


def _smooth(values: Floats, places: Floats, weights: Floats) -> Floats:
    """Each column at each place as a polynomial through all other places tells it."""
    best, smallest = values, np.full(values.shape[1], np.inf)
    for degree in range(_HIGHEST_DEGREE + 1):
        terms = _terms(places, degree)
        if degree and terms.shape[1] * _BEADS_PER_TERM > np.count_nonzero(weights):
            break
        left_out = _left_out(values, terms, weights)
        error = weights @ np.square(values - left_out)
        best = np.where(error < smallest, left_out, best)
        smallest = np.minimum(error, smallest)
    return best


def _terms(places: Floats, degree: int) -> Floats:
    terms = np.polynomial.legendre.legvander2d(places[:, 0], places[:, 1], [degree, degree])
    order = np.add.outer(*2 * [np.arange(degree + 1)]).ravel()
    return np.asarray(terms[:, order <= degree])


def _left_out(values: Floats, terms: Floats, weights: Floats) -> Floats:
    """Prediction of each row by weighted least squares on all other rows."""
    root = np.sqrt(weights)[:, None]
    inverse = np.linalg.pinv(root * terms)
    fitted = terms @ (inverse @ (root * values))
    leverage = (root * terms * inverse.T).sum(-1).clip(0, 0.99)[:, None]
    return np.asarray((fitted - leverage * values) / (1 - leverage))
