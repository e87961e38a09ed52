"""From PSFs over the field, of one acquisition or many, to a family of blur operators.

Source: Debarnot, Escande & Weiss, "A scalable estimator of sets of integral operators",
Inverse Problems 35 (2019); Debarnot, Mangeat & Weiss, "Learning low-dimensional models of
microscopes", IEEE Trans. Comput. Imaging 7 (2021).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.calibration.fit.cross_validation import fit_weights
from napari_deepblur.calibration.fit.maps import FieldMaps, nodes
from napari_deepblur.calibration.fit.modes import (
    EigenPsfs,
    PsfSamples,
    normalised,
)

__all__ = ["Extraction", "extract"]

#: Nodes of the maps along each axis.
N_NODES = 17

#: Modes by which the operator deviates are kept until they hold this share of all deviation.
_MODES_SHARE = 0.99

#: A mode is kept only if its power exceeds four times that of the noise and 1e-4 of the mean
#: operator's.
_LEAST_OVER_NOISE, _LEAST_OF_MEAN = 4.0, 1e-4

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Extraction:
    """Low-dimensional model of one microscope's blurs.

    Attributes
    ----------
    eigen_psfs
        e_k and the share of energy they keep.
    maps
        Operator modes m_{p,k} at nodes over the field, shape (P, K, G, G).
    coefficients
        γ of each acquisition, shape (T, P).
    """

    eigen_psfs: EigenPsfs
    maps: Floats
    coefficients: Floats


def extract(
    samples: Sequence[PsfSamples],
    eigen_psfs: EigenPsfs,
    *,
    n_functions: int | None = None,
    n_nodes: int = N_NODES,
) -> Extraction:
    """Fit maps, and one γ for each acquisition, to known eigen-PSFs.

    Parameters
    ----------
    samples
        PSFs of each acquisition.
    eigen_psfs
        The K eigen-PSFs of the family.
    n_functions
        Number of smooth functions of the field, J, the first of them constant: each eigen-PSF has
        a coefficient for each, P = K · J. By default the coefficients belong to operator modes
        instead, the mean operator (γ = 1 always) and the acquisitions' principal deviations
        from it.
    n_nodes
        Nodes of the maps along each axis, G.
    """
    places = nodes(n_nodes)
    fits = [fit_weights(part, eigen_psfs) for part in samples]
    powers = [_noise_power(*pair, places) for pair in zip(samples, fits, strict=True)]
    weights = np.stack([normalised(fit.at(places), eigen_psfs.basis) for fit in fits])
    fields = weights.transpose(0, 2, 1).reshape(len(fits), len(eigen_psfs), n_nodes, n_nodes)
    maps, coefficients = (
        _operator_modes(fields, float(np.mean(powers)))
        if n_functions is None
        else _functions(fields, n_functions)
    )
    return Extraction(eigen_psfs, maps, coefficients)


def _noise_power(part: PsfSamples, fit: FieldMaps, places: Floats) -> float:
    """Sum of the noise's variance in the weights at places (M, 2)."""
    if fit.spline.tells_slopes:
        return fit.noise_power(places)
    # Eigen-PSFs follow the noise of so few PSFs, so that all of it is in the weights.
    return float(len(places) * part.noise_energy.mean() / len(part))


def _operator_modes(fields: Floats, noise_power: float) -> tuple[Floats, Floats]:
    """Find the mean operator and the principal deviations that are more than noise.

    Deviations from the mean have PSFs of sum 0, so that every γ with γ₀ = 1 gives sum 1.
    """
    mean = fields.mean(0)
    flat = (fields - mean).reshape(len(fields), -1)
    left, values, right = np.linalg.svd(flat, full_matrices=False)
    power = values**2
    least = _LEAST_OF_MEAN * len(fields) * float((mean**2).sum())
    real = power > max(_LEAST_OVER_NOISE * noise_power, least)
    n_modes = 0
    if real.any():
        kept = np.cumsum(power) / power.sum()
        n_modes = min(int(np.searchsorted(kept, _MODES_SHARE) + 1), int(real.sum()))
    # The sign of a mode is arbitrary: its coefficient is positive at the end.
    sign = np.where(left[-1, :n_modes] < 0, -1.0, 1.0)
    # In units in which the acquisitions' coefficients have unit variance.
    unit = values[:n_modes] / np.sqrt(len(fields))
    modes = (right[:n_modes] * (sign * unit)[:, None]).reshape(n_modes, *mean.shape)
    drift = left[:, :n_modes] * sign * np.sqrt(len(fields))
    coefficients = np.hstack([np.ones((len(fields), 1)), drift])
    return np.concatenate([mean[None], modes]), coefficients


def _functions(fields: Floats, n_functions: int) -> tuple[Floats, Floats]:
    """Every map as a sum of the same smooth functions: maps (K·J, K, G, G), γ (T, K·J).

    The first function is constant and the others have mean 0: so the sums of the PSFs stay 1
    however few functions there are.
    """
    n_fields, n_eigen_psfs, *grid = fields.shape
    flat = fields.reshape(n_fields * n_eigen_psfs, -1)
    n_pixels = flat.shape[1]
    constant = flat.mean(1)
    _, _, right = np.linalg.svd(flat - constant[:, None], full_matrices=False)
    functions = np.concatenate([np.ones((1, n_pixels)), right[: n_functions - 1] * n_pixels**0.5])
    gamma = flat @ functions.T / n_pixels
    maps = np.einsum("kl,jg->kjlg", np.eye(n_eigen_psfs), functions)
    shape = (n_eigen_psfs * n_functions, n_eigen_psfs, *grid)
    return maps.reshape(shape), gamma.reshape(n_fields, -1)
