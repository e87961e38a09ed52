"""The identification network of families whose blur is the same over the whole field."""

from __future__ import annotations

from torch import Tensor

from napari_deepblur.networks.description import Describer
from napari_deepblur.networks.head import Head, Reading
from napari_deepblur.operators import EigenPsfSpace

__all__ = ["IdentificationNetwork"]


class IdentificationNetwork(Describer):
    """Describes each tile of an image and reads the blur off the mean description.

    Parameters
    ----------
    space
        The space whose K coordinates the network answers; it is stored with the weights, since
        computed anew it would turn with every change of the decomposition.
    whitening_exponent
        See `Whitening`.
    n_hidden
        Width of the head that reads descriptions.
    """

    def __init__(
        self,
        space: EigenPsfSpace,
        *,
        whitening_exponent: float = 1.0,
        n_hidden: int = 1024,
    ) -> None:
        super().__init__(whitening_exponent=whitening_exponent)
        self.space = space
        self.head = Head(
            space.n_eigen_psfs,
            self.spectrum.n_bins,
            n_coefficients=space.family.n_coefficients,
            width=n_hidden,
        )

    @property
    def eigen_psfs(self) -> Tensor:
        """Eigen-PSFs at the canonical cutoff, shape (K, h, w)."""
        return self.space.eigen_psfs

    @property
    def prior_std(self) -> float:
        """Standard deviation of a coefficient of which only the family is known."""
        return self.space.family.prior_std

    def coefficients(self, coordinates: Tensor) -> Tensor:
        """Coefficients in the admissible set, shape (N, P), of coordinates (N, K)."""
        return self.space.fit(coordinates)

    def forward(self, tiles: Tensor, *, band: float = 0.5) -> Reading:
        """Read tiles that share a blur, shape (N, T, Y, X); arguments as for `describe`."""
        reading: Reading = self.head(self.describe(tiles, band=band))
        return reading

    def read(self, descriptions: Tensor, field_yx: Tensor, *, n_apart: int) -> Reading:  # noqa: ARG002
        """Read N images, each by T tiles' descriptions (N, T, D), wherever the tiles lie."""
        reading: Reading = self.head(descriptions.mean(1))
        return reading

    def glance(self, tiles: Tensor) -> Tensor:
        """What the ResNet alone answers to tiles of shape (N, Y, X): (N, n_outputs).

        For its own training; once the head has been trained, this is only a part of its sum.
        """
        answer: Tensor = self.head.glance(self.features(tiles))
        return answer.float()
