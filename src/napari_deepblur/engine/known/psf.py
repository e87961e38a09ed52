"""A PSF that is known, as the family of the one blur that it makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari_deepblur.operators import OperatorFamily

__all__ = ["KnownKind", "KnownPsf"]

#: Where a known PSF comes from: a perfect objective, a PSF image, or a calibration from beads.
KnownKind = Literal["ideal", "psf", "calibration"]


@dataclass(frozen=True, eq=False)
class KnownPsf:
    """A PSF that no network had to read off an image.

    Attributes
    ----------
    kind
        Where it comes from.
    name
        What it is, for people: the name of a file, or of an acquisition.
    family
        Family of the blur, at the sampling at which the PSF is known. An ideal PSF is a pupil
        without aberrations; a measured one has eigen-PSFs and the single coefficient 1.
    """

    kind: KnownKind
    name: str
    family: OperatorFamily

    @property
    def varies(self) -> bool:
        """True if the PSF changes over the field, as only several eigen-PSFs can make it."""
        return self.family.n_convolutions > 1

    @property
    def coefficients(self) -> NDArray[np.float32]:
        """The coefficients of the one blur, shape (1, P)."""
        return np.full((1, self.family.n_coefficients), self.kind != "ideal", np.float32)

    @property
    def eigen_psfs(self) -> NDArray[np.float32]:
        """Eigen-PSFs at their own sampling, shape (K, h, w); of a pupil the PSF itself."""
        import torch

        from napari_deepblur.operators import ProductConvolutionFamily

        if isinstance(self.family, ProductConvolutionFamily):
            eigen_psfs: NDArray[np.float32] = self.family.eigen_psfs.cpu().numpy()
            return eigen_psfs
        psf: NDArray[np.float32] = self.family.psf(torch.from_numpy(self.coefficients)).numpy()
        return psf
