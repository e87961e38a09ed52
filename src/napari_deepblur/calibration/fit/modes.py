"""Eigen-PSFs of measured or simulated PSFs: a singular value decomposition, noise apart.

Source: Debarnot, Escande & Weiss, "A scalable estimator of sets of integral operators",
Inverse Problems 35 (2019); of smooth fields: J. Z. Huang, H. Shen & A. Buja, "The analysis of
two-way functional data using two-way regularized singular value decompositions", J. Am. Stat.
Assoc. 104 (2009).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.calibration.fit.samples import PsfSamples
from napari_deepblur.calibration.fit.smooth_psfs import smooth_psfs

__all__ = ["EigenPsfs", "PsfSamples", "find_eigen_psfs"]

#: Matrices with more rows and columns are decomposed by iteration (Lanczos).
_LARGEST_DENSE = 4000

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class EigenPsfs:
    """Orthonormal basis of PSFs, the strongest first.

    Attributes
    ----------
    basis
        Shape (K, h, w).
    energy
        Share of the PSFs' energy, noise apart, in the first 1, 2, … of them, shape (≥ K,).
    varying_energy
        Share of the energy of their deviations from the mean PSF, same shape; 1 where they do
        not deviate.
    """

    basis: Floats
    energy: Floats
    varying_energy: Floats

    def __len__(self) -> int:
        return len(self.basis)

    def first(self, n: int) -> EigenPsfs:
        """Keep the strongest n of them."""
        return EigenPsfs(self.basis[:n], self.energy, self.varying_energy)

    def encode(self, psfs: NDArray[np.floating]) -> Floats:
        """Project PSFs (n, h, w) on the basis: weights (n, K)."""
        return np.asarray(psfs.reshape(len(psfs), -1) @ self.basis.reshape(len(self), -1).T)

    def decode(self, weights: Floats) -> Floats:
        """Combine the basis by weights: (..., K) to PSFs (..., h, w)."""
        return np.asarray(np.tensordot(weights, self.basis, axes=1))


def normalised(weights: Floats, eigen_psfs: Floats) -> Floats:
    """Change weights (..., K) to the nearest ones whose PSFs have sum 1.

    What smoothing took away is the faint light far out: a factor would put it in the middle.
    """
    sums = eigen_psfs.sum((1, 2))
    missing = 1 - weights @ sums
    return np.asarray(weights + missing[..., None] * sums / (sums @ sums))


def find_eigen_psfs(samples: Sequence[PsfSamples], n_largest: int = 16) -> EigenPsfs:
    """Decompose the PSFs of all acquisitions together, their noise taken out before.

    Parameters
    ----------
    samples
        PSFs of each acquisition, all of one size.
    n_largest
        Number of eigen-PSFs to keep, fewer where there are fewer PSFs or pixels.
    """
    psfs = np.concatenate([smooth_psfs(part) for part in samples])
    # Acquisitions with few and with many beads count alike.
    share = np.concatenate([np.full(len(part), 1 / len(part)) for part in samples])
    rows = psfs.reshape(len(psfs), -1) * np.sqrt(share / share.sum())[:, None]
    basis = _strongest_directions(rows, n_largest)
    mean = np.sqrt(share / share.sum()) @ rows
    total, constant = float(np.square(rows).sum()), float(np.square(mean).sum())
    kept = np.cumsum(np.square(rows @ basis.T).sum(0))
    kept_constant = np.cumsum(np.square(basis @ mean))
    varying = max(total - constant, 0.0)
    varies = varying > 1e-10 * total
    return EigenPsfs(
        basis.reshape(len(basis), *psfs.shape[1:]),
        kept / total,
        (kept - kept_constant) / varying if varies else np.ones(len(basis)),
    )


def _strongest_directions(rows: Floats, n_largest: int) -> Floats:
    """Right singular vectors (K, pixels) of rows (n, pixels), by the smaller Gram matrix."""
    n_rows, n_pixels = rows.shape
    n_kept = min(n_largest, n_rows, n_pixels)
    if min(n_rows, n_pixels) > _LARGEST_DENSE:
        from scipy.sparse.linalg import svds

        start = np.ones(min(n_rows, n_pixels))
        basis = svds(rows, n_kept, v0=start, return_singular_vectors="vh")[2][::-1]
    elif n_rows > n_pixels:
        basis = np.linalg.eigh(rows.T @ rows)[1][:, ::-1].T[:n_kept]
    else:
        basis = np.linalg.svd(rows, full_matrices=False)[2][:n_kept]
    # An eigenvector's sign is arbitrary: fixed, so that files agree.
    strongest = np.abs(basis).argmax(1)
    return np.asarray(basis * np.sign(basis[np.arange(n_kept), strongest])[:, None])
