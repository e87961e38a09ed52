"""Heads of the identification networks: from the features of tiles to a prediction of the blur."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_deepblur.networks.resnet import N_FEATURES
from napari_deepblur.networks.spectrum import log_signal

__all__ = ["Head", "Prediction", "StationaryHead"]

#: Standard deviations at which inputs are clamped; none is larger in training.
_FAR = 6.0

#: Logarithm of the standard error at which its training starts: 0.05 waves.
_FIRST_LOG_STD = -3.0

#: Relative noise power that counts as none.
_QUIET = 1e-9

_TINY = torch.finfo(torch.float32).tiny


class Prediction(NamedTuple):
    """Blur that a network predicts, and how far to trust it.

    Attributes
    ----------
    coordinates
        Point in the space of the family: coordinates of an `EigenPsfSpace`, shape (N, K), or
        coefficients, shape (N, P).
    out_of_distribution
        Logit of the probability that the blur is none of the family, shape (N,).
    log_std
        Logarithm of the standard errors of the coefficients, in their unit, shape (N, P).
    """

    coordinates: Tensor
    out_of_distribution: Tensor
    log_std: Tensor


class Head(nn.Module):
    """Hidden layers that every head has, after the normalisation of the features.

    Parameters
    ----------
    n_bins
        Number of bins of the power spectrum, B.
    width
        Number of units of the hidden layers.
    n_contexts
        Number of feature vectors that are read side by side.
    dropout
        Share of the inputs that is left out at each step of training.
    """

    typical: Tensor

    def __init__(
        self, n_bins: int, *, width: int, n_contexts: int = 1, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self._sizes = (N_FEATURES, 1, 1, n_bins)
        #: Typical log power of each bin, which stands in for a bin without signal.
        self.register_buffer("typical", torch.zeros(n_bins))
        n_inputs = n_contexts * (N_FEATURES + 1 + 2 * n_bins)
        self.standard = nn.BatchNorm1d(n_inputs, affine=False, momentum=0.01)
        self.entry = nn.Linear(n_inputs, width)
        self.blocks = nn.ModuleList(_ResidualBlock(width) for _ in range(2))
        self.dropout = nn.Dropout(dropout)

    def hidden(self, *features: Tensor) -> Tensor:
        """Compute the last hidden layer: one (N, D) for each context, to (N, width)."""
        inputs = torch.cat([self.normalise(one) for one in features], 1)
        standard = self.standard(inputs).clamp(-_FAR, _FAR)
        hidden = functional.gelu(self.entry(self.dropout(standard)))
        for block in self.blocks:
            hidden = hidden + self.dropout(block(hidden))
        return hidden

    def normalise(self, features: Tensor) -> Tensor:
        """Replace powers by deviations from the typical ones, weighted by the share of signal."""
        of_resnet, noise, total, power = features.float().split(self._sizes, 1)
        signal, share = log_signal(noise, total, power)
        loudness = (noise / total.clamp_min(_TINY) + _QUIET).log()
        return torch.cat([of_resnet, loudness, share, share * (signal - self.typical)], 1)

    @torch.no_grad()
    def learn_typical(self, features: Tensor) -> None:
        """Set the typical spectrum from features (N, D), before training."""
        _, noise, total, power = features.float().split(self._sizes, 1)
        signal, share = log_signal(noise, total, power)
        self.typical.copy_((share * signal).sum(0) / share.sum(0).clamp_min(1))


class StationaryHead(Head):
    """Predict one blur for the whole field: the answer of the ResNet, corrected.

    Some layers bear the names under which their weights are stored: `glance` is the answer of the
    ResNet, `foreign` the logit of `Prediction.out_of_distribution`.

    Parameters
    ----------
    n_outputs
        Number of coordinates, K.
    n_bins
        Number of bins of the power spectrum, B.
    n_coefficients
        Number of coefficients of the family, P.
    width
        Number of units of the hidden layers.
    """

    def __init__(self, n_outputs: int, n_bins: int, *, n_coefficients: int, width: int) -> None:
        super().__init__(n_bins, width=width)
        self.glance = nn.Linear(N_FEATURES, n_outputs)
        # Training starts from the answer of the ResNet alone.
        correction = nn.Linear(width, n_outputs)
        nn.init.zeros_(correction.weight)
        nn.init.zeros_(correction.bias)
        self.correction = nn.Sequential(nn.LayerNorm(width), correction)
        self.foreign = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 1))
        # No more than linear: examples of errors are few.
        log_std = nn.Linear(width, n_coefficients)
        nn.init.zeros_(log_std.weight)
        nn.init.constant_(log_std.bias, _FIRST_LOG_STD)
        self.log_std = nn.Sequential(nn.LayerNorm(width), log_std)

    def forward(self, features: Tensor) -> Prediction:
        """Predict from mean features, shape (N, D)."""
        hidden = self.hidden(features)
        of_resnet = features[:, :N_FEATURES]
        # Errors are learned afterwards: they must not change the answer that they are errors of.
        return Prediction(
            self.glance(of_resnet).float() + self.correction(hidden).float(),
            self.foreign(hidden)[:, 0].float(),
            self.log_std(hidden.detach()).float(),
        )


class _ResidualBlock(nn.Sequential):
    def __init__(self, width: int) -> None:
        super().__init__(
            nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Linear(width, width)
        )
