"""The identification network of families whose blur is the same over the whole field."""

from __future__ import annotations

from torch import Tensor

from napari_deepblur.networks.encoder import TileEncoder
from napari_deepblur.networks.head import Prediction, StationaryHead
from napari_deepblur.operators import EigenPsfSpace

__all__ = ["IdentificationNetwork"]


class IdentificationNetwork(TileEncoder):
    """Encode each tile of an image and predict the blur from the mean features.

    Parameters
    ----------
    space
        Space whose K coordinates are predicted. It is stored with the weights: computed anew, it
        would turn with every change of the decomposition.
    whitening_exponent
        Exponent of `Whitening`.
    n_hidden
        Number of units of the hidden layers of the head.
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
        self.head = StationaryHead(
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
        """Find the coefficients in the admissible set, shape (N, P), for coordinates (N, K)."""
        return self.space.fit(coordinates)

    def forward(self, tiles: Tensor, *, band: float = 0.5) -> Prediction:
        """Predict the blur that tiles (N, T, Y, X) share; arguments as for `encode`."""
        prediction: Prediction = self.head(self.encode(tiles, band=band))
        return prediction

    def predict(
        self,
        features: Tensor,
        field_yx: Tensor,  # noqa: ARG002 - the blur is the same everywhere
        *,
        n_independent_tiles: int,  # noqa: ARG002
    ) -> Prediction:
        """Predict the blur of N images from the features (N, T, D) of their tiles."""
        prediction: Prediction = self.head(features.mean(1))
        return prediction

    def predict_by_resnet(self, tiles: Tensor) -> Tensor:
        """Compute the answer of the ResNet alone, tiles (N, Y, X) to (N, K).

        The ResNet is trained by it; once the head is trained, it is only a part of the answer.
        """
        answer: Tensor = self.head.glance(self.resnet_features(tiles))
        return answer.float()
