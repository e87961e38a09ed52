"""The identification network of families whose blur varies over the field.

Each tile gives an estimate of the blur at its place, and its precision. The coefficients that
explain all tiles best, given how the microscope can vary at all, follow by linear regression: where
a tile lies need not be learned, and fields of any size can be used.

Source of the pooling: Bayesian linear regression, e.g. Bishop, *Pattern Recognition and Machine
Learning*, sec. 3.3; the precision of each tile is learned.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from napari_deepblur.networks.encoder import TileEncoder
from napari_deepblur.networks.head import Head, Prediction
from napari_deepblur.operators import ProductConvolutionFamily
from napari_deepblur.operators.field_space import FieldSpace

__all__ = ["FieldHead", "FieldIdentificationNetwork"]

#: Clamp of the logarithm of the inverse standard deviation predicted for one tile.
_LOG_PRECISION = (-4.0, 4.0)

#: Tiles of an image in training.
_MOST_TILES = 16

#: Logarithm of the inverse standard deviation at which training starts: a tile knows little.
_FIRST_LOG_PRECISION = -1.0


class FieldHead(Head):
    """Predict the coefficients of a varying blur from the features and places of tiles.

    Some layers bear the names under which their weights are stored: `foreign` is the logit of
    `Prediction.out_of_distribution`, `log_temper` the logarithm of the temperature.

    Parameters
    ----------
    space
        Space in which the coefficients of the family vary.
    n_bins
        Number of bins of the power spectrum, B.
    width
        Number of units of the hidden layers.
    dropout
        Share of the inputs that is left out at each step of training.
    """

    log_temper: Tensor

    def __init__(self, space: FieldSpace, n_bins: int, *, width: int, dropout: float = 0.0) -> None:
        # Each tile is read beside the mean of all, which shows sample and camera.
        super().__init__(n_bins, width=width, n_contexts=2, dropout=dropout)
        self.space = space
        n_local = len(space.local)
        self._n_local = n_local
        answer = nn.Linear(width, n_local + n_local * (n_local + 1) // 2)
        nn.init.zeros_(answer.weight)
        nn.init.zeros_(answer.bias)
        self.answer = nn.Sequential(nn.LayerNorm(width), answer)
        self.foreign = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 1))
        #: Logarithm of the factor by which errors exceed those of the regression.
        self.register_buffer("log_temper", torch.zeros(()))

    def forward(
        self, features: Tensor, field_yx: Tensor, *, n_independent_tiles: int | None = None
    ) -> Prediction:
        """Predict the blurs of N images; arguments as for `regress`."""
        factors, precision, logit = self.regress(
            features, field_yx, n_independent_tiles=n_independent_tiles
        )
        covariance = torch.linalg.inv(precision)
        directions = self.space.factors
        variance = torch.einsum("rp,nrs,sp->np", directions, covariance, directions)
        log_std = variance.clamp_min(torch.finfo(torch.float32).tiny).log() / 2
        return Prediction(self.space.decode(factors), logit, log_std + self.log_temper)

    def regress(
        self, features: Tensor, field_yx: Tensor, *, n_independent_tiles: int | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Combine what the tiles say by Bayesian linear regression.

        Parameters
        ----------
        features
            Features of the tiles, shape (N, T, D).
        field_yx
            Normalised places of the tiles, shape (T, 2).
        n_independent_tiles
            Number of tiles that would cover the field side by side; by default T. Tiles that
            overlap say the same twice.

        Returns
        -------
            Factors of the `FieldSpace`, shape (N, R); the inverse of their covariance, shape
            (N, R, R); the logit of the blur being out of distribution, shape (N,).
        """
        values, root, logit = self.predict_tiles(features)
        # Errors that tiles share do not average out: more tiles than were seen in training make
        # the answer no surer.
        n_tiles = features.shape[1]
        root = root * (min(n_independent_tiles or n_tiles, _MOST_TILES) / n_tiles) ** 0.5
        design = torch.einsum("ntij,tjr->ntir", root, self.space.design(field_yx))
        known = torch.einsum("ntij,ntj->nti", root, values)
        precision = torch.einsum("ntir,ntis->nrs", design, design)
        precision = precision + torch.eye(design.shape[-1], device=design.device)
        right = torch.einsum("ntir,nti->nr", design, known)
        factors = torch.linalg.solve(precision, right[..., None])[..., 0]
        return factors, precision, logit

    def predict_tiles(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Predict the blur at the place of each tile.

        Parameters
        ----------
        features
            Features of the tiles, shape (N, T, D).

        Returns
        -------
            Local numbers of the `FieldSpace`, shape (N, T, Q); upper triangular roots U of their
            precisions Uᵀ U, shape (N, T, Q, Q); the logit of the blur being out of distribution,
            shape (N,).
        """
        n, n_tiles, _ = features.shape
        mean = features.float().mean(1, keepdim=True).expand_as(features)
        hidden = self.hidden(features.flatten(0, 1), mean.flatten(0, 1))
        answer = self.answer(hidden).float().unflatten(0, (n, n_tiles))
        values, diagonal, upper = answer.split(
            [self._n_local, self._n_local, self._n_local * (self._n_local - 1) // 2], -1
        )
        diagonal = (diagonal + _FIRST_LOG_PRECISION).clamp(*_LOG_PRECISION).exp()
        root = torch.diag_embed(diagonal)
        rows, columns = torch.triu_indices(self._n_local, self._n_local, 1, device=root.device)
        # Relative to the diagonal, so that loud and quiet tiles are learned alike.
        root[..., rows, columns] = upper * diagonal[..., rows]
        logit = self.foreign(hidden).float().unflatten(0, (n, n_tiles)).mean((1, 2))
        return values, root, logit


class FieldIdentificationNetwork(TileEncoder):
    """Encode each tile of an image and predict the blur from all of them and their places.

    Parameters
    ----------
    family
        Family of the blurs, at the canonical cutoff.
    space
        Space in which the coefficients of the family vary; it is stored with the weights.
    whitening_exponent
        Exponent of `Whitening`.
    n_hidden
        Number of units of the hidden layers of the head.
    dropout
        Share of the inputs of the head that is left out at each step of training.

    Raises
    ------
    ValueError
        If the space is not one of this family.
    """

    def __init__(
        self,
        family: ProductConvolutionFamily,
        space: FieldSpace,
        *,
        whitening_exponent: float = 1.0,
        n_hidden: int = 1024,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(whitening_exponent=whitening_exponent)
        if space.maps.shape != family.maps.shape:
            raise ValueError(
                f"the network is for maps (P, K, G, G) of shape {tuple(space.maps.shape)}, those "
                f"of the family have {tuple(family.maps.shape)}"
            )
        self.family = family
        self.head = FieldHead(space, self.spectrum.n_bins, width=n_hidden, dropout=dropout)

    @property
    def eigen_psfs(self) -> Tensor:
        """Eigen-PSFs at the canonical cutoff, shape (K, h, w)."""
        return self.family.eigen_psfs

    @property
    def prior_std(self) -> float:
        """Standard deviation of a coefficient of which only the family is known."""
        return float(self.head.space.factors.norm(dim=0).mean())

    def coefficients(self, coordinates: Tensor) -> Tensor:
        """Find the coefficients in the admissible set nearest to any, shape (N, P)."""
        return self.family.admissible_set.project(coordinates)

    def predict(
        self, features: Tensor, field_yx: Tensor, *, n_independent_tiles: int
    ) -> Prediction:
        """Predict the blurs of N images: see `FieldHead.regress`."""
        prediction: Prediction = self.head(
            features, field_yx, n_independent_tiles=n_independent_tiles
        )
        return prediction
