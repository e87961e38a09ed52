"""The identification network of families whose blur varies over the field.

Each tile says what the blur is where it lies, and how surely. The coefficients that explain all
tiles best, given how the microscope can vary at all, follow by linear regression: the network
knows *where* without having learned it, and takes fields of any size.

Source of the pooling: Bayesian linear regression, e.g. Bishop, *Pattern Recognition and Machine
Learning*, sec. 3.3; the variance of what tiles say is learned.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from napari_deepblur.networks.description import Describer
from napari_deepblur.networks.head import DescriptionReader, Reading
from napari_deepblur.operators import ProductConvolutionFamily
from napari_deepblur.operators.field_space import FieldSpace

__all__ = ["FieldHead", "FieldIdentificationNetwork"]

#: A tile tells no number better than this, nor worse, in logarithms of standard deviations.
_LOG_PRECISION = (-4.0, 4.0)

#: Tiles of an image in training.
_MOST_TILES = 16

#: From which learning begins: a tile knows little.
_FIRST_LOG_PRECISION = -1.0


class FieldHead(DescriptionReader):
    """From descriptions of tiles and their places to the coefficients of a varying blur.

    Parameters
    ----------
    space
        Of the family's coefficients.
    n_bins
        Of the power spectrum, B.
    width
        Of the hidden layers.
    dropout
        See `DescriptionReader`.
    """

    log_temper: Tensor

    def __init__(self, space: FieldSpace, n_bins: int, *, width: int, dropout: float = 0.0) -> None:
        # Each tile is read beside the mean of all: what sample and camera are like.
        super().__init__(n_bins, width=width, n_contexts=2, dropout=dropout)
        self.space = space
        n_local = len(space.local)
        self._n_local = n_local
        answer = nn.Linear(width, n_local + n_local * (n_local + 1) // 2)
        nn.init.zeros_(answer.weight)
        nn.init.zeros_(answer.bias)
        self.answer = nn.Sequential(nn.LayerNorm(width), answer)
        self.foreign = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 1))
        #: Logarithm of the factor by which errors were found larger than the regression says.
        self.register_buffer("log_temper", torch.zeros(()))

    def forward(
        self, descriptions: Tensor, field_yx: Tensor, *, n_apart: int | None = None
    ) -> Reading:
        """Read N images: descriptions (N, T, D) of tiles at normalised places (T, 2).

        Arguments as for `regress`.
        """
        factors, precision, foreign = self.regress(descriptions, field_yx, n_apart=n_apart)
        covariance = torch.linalg.inv(precision)
        directions = self.space.factors
        variance = torch.einsum("rp,nrs,sp->np", directions, covariance, directions)
        log_std = variance.clamp_min(torch.finfo(torch.float32).tiny).log() / 2
        return Reading(self.space.decode(factors), foreign, log_std + self.log_temper)

    def regress(
        self, descriptions: Tensor, field_yx: Tensor, *, n_apart: int | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Factors (N, R), the inverse of their covariance (N, R, R), logit of foreignness (N,).

        Parameters
        ----------
        descriptions
            Of tiles, shape (N, T, D).
        field_yx
            Their normalised places, shape (T, 2).
        n_apart
            How many tiles would cover the field side by side, by default T: where they overlap,
            they say the same twice.
        """
        told, root, foreign = self.tell(descriptions)
        # Errors that tiles share do not average out: more tiles than were seen in training make
        # the answer no surer.
        n_tiles = descriptions.shape[1]
        root = root * (min(n_apart or n_tiles, _MOST_TILES) / n_tiles) ** 0.5
        design = torch.einsum("ntij,tjr->ntir", root, self.space.design(field_yx))
        known = torch.einsum("ntij,ntj->nti", root, told)
        precision = torch.einsum("ntir,ntis->nrs", design, design)
        precision = precision + torch.eye(design.shape[-1], device=design.device)
        right = torch.einsum("ntir,nti->nr", design, known)
        factors = torch.linalg.solve(precision, right[..., None])[..., 0]
        return factors, precision, foreign

    def tell(self, descriptions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What each tile says: numbers (N, T, Q), root of their precision (N, T, Q, Q); foreign.

        Upper triangular roots U: the precision is Uᵀ U.
        """
        n, n_tiles, _ = descriptions.shape
        everywhere = descriptions.float().mean(1, keepdim=True).expand_as(descriptions)
        hidden = self.hidden(descriptions.flatten(0, 1), everywhere.flatten(0, 1))
        answer = self.answer(hidden).float().unflatten(0, (n, n_tiles))
        told, diagonal, upper = answer.split(
            [self._n_local, self._n_local, self._n_local * (self._n_local - 1) // 2], -1
        )
        diagonal = (diagonal + _FIRST_LOG_PRECISION).clamp(*_LOG_PRECISION).exp()
        root = torch.diag_embed(diagonal)
        rows, columns = torch.triu_indices(self._n_local, self._n_local, 1, device=root.device)
        # Relative to the diagonal, so that loud and quiet tiles are learned alike.
        root[..., rows, columns] = upper * diagonal[..., rows]
        foreign = self.foreign(hidden).float().unflatten(0, (n, n_tiles)).mean((1, 2))
        return told, root, foreign


class FieldIdentificationNetwork(Describer):
    """Describes each tile of an image and reads the blur off all of them and their places.

    Parameters
    ----------
    family
        The blurs that are told apart.
    space
        How the family's coefficients vary; it is stored with the weights.
    whitening_exponent
        See `Whitening`.
    n_hidden
        Width of the head that reads descriptions.
    dropout
        Of the head, in training.

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
        """Coefficients in the admissible set, shape (N, P), nearest to any (N, P)."""
        return self.family.admissible_set.project(coordinates)

    def read(self, descriptions: Tensor, field_yx: Tensor, *, n_apart: int) -> Reading:
        """Read N images, each by T tiles' descriptions and places: `FieldHead.forward`."""
        reading: Reading = self.head(descriptions, field_yx, n_apart=n_apart)
        return reading
