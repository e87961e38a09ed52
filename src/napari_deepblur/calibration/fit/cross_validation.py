"""Cross-validation: error of PSFs predicted from other beads, by the number of eigen-PSFs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.calibration.fit.maps import FieldMaps, fit_maps
from napari_deepblur.calibration.fit.modes import EigenPsfs, find_eigen_psfs
from napari_deepblur.calibration.fit.samples import PsfSamples
from napari_deepblur.calibration.fit.spline import FieldSpline

__all__ = [
    "MOST_EIGEN_PSFS",
    "PredictionErrors",
    "combine",
    "fit_weights",
    "fold_errors",
    "n_folds",
    "pooled",
    "with_pedestal",
]

#: More eigen-PSFs than this are never taken by themselves.
MOST_EIGEN_PSFS = 8

#: With more PSFs they are not left out one by one but a tenth at a time.
_MOST_FOLDS = 10

#: Of so many PSFs a fifth may be left out without making the model worse.
_MANY, _FOLDS_OF_MANY = 500, 5

#: A gain of less than this share of the error is not worth an eigen-PSF.
_HARDLY = 0.05

#: Radius of a PSF's core, where errors are counted, by the side of its window.
_CORE = 0.25

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PredictionErrors:
    """Errors of PSFs predicted from others, over their core, with the noise taken off.

    Attributes
    ----------
    error
        ‖a ĥ - h‖² less the noise's share, by 1, 2, … M eigen-PSFs, shape (n, M): the brightness
        a is free. NaN for PSFs that were not predicted.
    energy
        ‖h‖² less the noise's share, shape (n,).
    uncertainty
        Standard deviation of the noise's share in `error`, shape (n,).
    weight
        Weight of each PSF in means, shape (n,).
    """

    error: Floats
    energy: Floats
    uncertainty: Floats
    weight: Floats

    @property
    def each_db(self) -> Floats:
        """Error of each PSF in dB, shape (n, M), not below what its noise lets one see."""
        floor = np.maximum(self.uncertainty, 1e-6 * self.energy)
        ratio = np.maximum(self.error, floor[:, None]) / np.maximum(self.energy, floor)[:, None]
        return np.asarray(10 * np.log10(ratio))

    @property
    def total_db(self) -> Floats:
        """Error of all in dB by 1, 2, … M eigen-PSFs, not below its own standard error."""
        weighted = self.weight[:, None] * self.error
        by_noise = np.linalg.norm(self.weight * self.uncertainty)
        floor = np.maximum(np.sqrt(len(weighted)) * weighted.std(0), by_noise)
        total = float((self.weight * self.energy).sum())
        ratio = np.maximum(weighted.sum(0), floor) / max(total, 1e-300)
        return np.asarray(10 * np.log10(np.maximum(ratio, 1e-6)))

    def n_worthwhile(self) -> int:
        """Fewest eigen-PSFs that predict as well as the best number of them.

        As well means within one standard error of the difference, PSF by PSF, or within 0.2 dB.
        Source: L. Breiman et al., *Classification and regression trees* (1984), § 3.4.3.
        """
        weighted = self.weight[:, None] * self.error
        best = int(np.argmin(weighted.mean(0)))
        loss = weighted - weighted[:, best : best + 1]
        margin = loss.std(0) / np.sqrt(len(loss))
        hardly = _HARDLY * weighted[:, best].mean()
        return int(np.argmax(loss.mean(0) <= np.maximum(margin, hardly))) + 1


def n_folds(samples: Sequence[PsfSamples]) -> int:
    """Choose the number of folds: the model is fitted anew for each, without the fold's PSFs."""
    n = max(len(part) for part in samples)
    return min(_MOST_FOLDS if n <= _MANY else _FOLDS_OF_MANY, n)


def fit_weights(part: PsfSamples, eigen_psfs: EigenPsfs) -> FieldMaps:
    """Fit the weights of eigen-PSFs as smooth functions of the field."""
    spline = FieldSpline(part.field_yx, part.noise**2)
    return fit_maps(spline, eigen_psfs.encode(part.psfs), np.arange(len(eigen_psfs)))


def fold_errors(
    measured: Sequence[PsfSamples], weighted: Sequence[PsfSamples], fold: int
) -> list[Floats]:
    """Predict the PSFs of one fold from all others.

    Eigen-PSFs and maps are fitted anew without them.

    Parameters
    ----------
    measured
        PSFs of each acquisition, with their own noise.
    weighted
        The same PSFs with the noise by which they are weighted.
    fold
        Number of the fold, below `n_folds`.

    Returns
    -------
        Errors of each acquisition's PSFs, shape (n, M) each, NaN outside the fold.
    """
    n = n_folds(weighted)
    folds = [np.random.default_rng(0).permutation(len(part)) % n for part in weighted]
    # An acquisition's only PSF stays.
    out = [(own == fold) & (len(own) > 1) for own in folds]
    rest = [part.take(~left) for part, left in zip(weighted, out, strict=True)]
    eigen_psfs = find_eigen_psfs(rest, MOST_EIGEN_PSFS)
    errors = [np.full((len(part), MOST_EIGEN_PSFS), np.nan) for part in weighted]
    for part, others, left, error in zip(measured, rest, out, errors, strict=True):
        if left.any():
            error[left] = _errors(part.take(left), others, eigen_psfs)
    return errors


def combine(
    measured: Sequence[PsfSamples],
    weighted: Sequence[PsfSamples],
    folds: Sequence[list[Floats]],
) -> list[PredictionErrors]:
    """Combine the errors of all folds, one result for each acquisition."""
    found = []
    for part, counted, *errors in zip(measured, weighted, *folds, strict=True):
        core = _core(part.psfs.shape[-1])
        power = np.square(part.psfs[:, core], dtype=np.float64).sum(-1)
        weight = 1 / counted.noise**2 if counted.noise.any() else np.ones(len(part))
        # Each row is a number in one fold at most.
        tested = ~np.isnan(errors).all(0)
        found.append(
            PredictionErrors(
                np.where(tested, np.nansum(errors, 0), np.nan),
                power - core.sum() * part.noise**2,
                part.noise**2 * np.sqrt(2.0 * core.sum()),
                weight,
            )
        )
    return found


def pooled(found: Sequence[PredictionErrors]) -> PredictionErrors:
    """Pool the PSFs of all acquisitions that could be predicted."""
    tested = [~np.isnan(part.error[:, 0]) for part in found]
    pairs = list(zip(found, tested, strict=True))
    names = ("error", "energy", "uncertainty", "weight")
    return PredictionErrors(
        *(np.concatenate([getattr(part, name)[own] for part, own in pairs]) for name in names)
    )


def with_pedestal(errors: PredictionErrors, energy: Floats) -> PredictionErrors:
    """Add the energy of a pedestal under each PSF, shape (n,).

    All beads share a wrong background, so that predicting them from one another cannot see it.
    """
    return replace(errors, error=errors.error + energy[:, None])


def _core(window: int) -> NDArray[np.bool_]:
    pixels = np.arange(window) - window // 2
    return np.asarray(np.hypot(pixels[:, None], pixels) <= max(1.0, _CORE * window))


def _errors(left: PsfSamples, others: PsfSamples, eigen_psfs: EigenPsfs) -> Floats:
    """Errors by 1, 2, … M eigen-PSFs, noise taken off, shape (n, M)."""
    core = _core(left.psfs.shape[-1])
    measured = left.psfs[:, core].astype(np.float64)
    weights = fit_weights(others, eigen_psfs).at(left.field_yx)
    predicted = np.zeros_like(measured)
    errors = []
    for weight, eigen_psf in zip(weights.T, eigen_psfs.basis[:, core], strict=True):
        predicted = predicted + weight[:, None] * eigen_psf
        common = (measured * predicted).sum(-1) ** 2
        power = np.maximum(np.square(predicted).sum(-1), 1e-300)
        errors.append(np.square(measured).sum(-1) - common / power)
    # Fewer eigen-PSFs there may be than are asked for; further ones would change nothing.
    errors += errors[-1:] * (MOST_EIGEN_PSFS - len(errors))
    by_noise = (core.sum() - 1) * left.noise**2
    return np.asarray(np.stack(errors, 1) - by_noise[:, None])
