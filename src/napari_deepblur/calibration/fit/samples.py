"""PSFs at places of the field, measured or simulated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["PsfSamples"]


@dataclass(frozen=True, slots=True)
class PsfSamples:
    """PSFs of one acquisition at known places of the field.

    Attributes
    ----------
    field_yx
        Normalised field coordinates, shape (n, 2): ±1 are the field's borders.
    psfs
        PSFs of sum 1, shape (n, h, w), h and w odd; h = w where they have noise.
    noise
        Standard deviation of the noise of each PSF's pixels, shape (n,); 0 where simulated.
    """

    field_yx: NDArray[np.float64]
    psfs: NDArray[np.float32]
    noise: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.psfs)

    def take(self, which: NDArray[np.bool_]) -> PsfSamples:
        """Choose some of them by booleans of shape (n,)."""
        return PsfSamples(self.field_yx[which], self.psfs[which], self.noise[which])

    @property
    def noise_energy(self) -> NDArray[np.float64]:
        """Sum of the noise's variance over each PSF's pixels, shape (n,)."""
        return np.asarray(self.noise**2 * np.prod(self.psfs.shape[1:]), np.float64)
