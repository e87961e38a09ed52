"""From descriptions to the blur: what the two identification networks' heads share, and one."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_deepblur.networks.resnet import N_FEATURES
from napari_deepblur.networks.spectrum import log_signal

__all__ = ["DescriptionReader", "Head", "Reading"]

#: Standard deviations at which inputs are cut off: none is beyond in training.
_FAR = 6.0

#: Standard error from which its learning begins: exp of it is 0.05 waves.
_USUAL_LOG_STD = -3.0

#: Relative noise power that counts as none.
_QUIET = 1e-9

_TINY = torch.finfo(torch.float32).tiny


class Reading(NamedTuple):
    """What the network says of a blur.

    Attributes
    ----------
    coordinates
        In the family's space: shape (N, K) of an `EigenPsfSpace`, or coefficients (N, P).
    foreign
        Logit of the blur's being none of the family's, shape (N,).
    log_std
        Logarithm of the coefficients' standard errors, in their unit, shape (N, P).
    """

    coordinates: Tensor
    foreign: Tensor
    log_std: Tensor


class DescriptionReader(nn.Module):
    """Hidden layers over what descriptions say.

    Parameters
    ----------
    n_bins
        Of the power spectrum, B.
    width
        Of the hidden layers.
    n_contexts
        Descriptions that are read side by side.
    dropout
        Share of what is read that is left out at each step of training.
    """

    typical: Tensor

    def __init__(
        self, n_bins: int, *, width: int, n_contexts: int = 1, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self._sizes = (N_FEATURES, 1, 1, n_bins)
        #: Usual log power of each bin, so that a bin without signal says "as usual".
        self.register_buffer("typical", torch.zeros(n_bins))
        n_evidence = n_contexts * (N_FEATURES + 1 + 2 * n_bins)
        self.standard = nn.BatchNorm1d(n_evidence, affine=False, momentum=0.01)
        self.entry = nn.Linear(n_evidence, width)
        self.blocks = nn.ModuleList(_ResidualBlock(width) for _ in range(2))
        self.dropout = nn.Dropout(dropout)

    def hidden(self, *descriptions: Tensor) -> Tensor:
        """Last layer before the answers: descriptions (N, D), one per context, to (N, width)."""
        evidence = torch.cat([self._evidence(description) for description in descriptions], 1)
        standard = self.standard(evidence).clamp(-_FAR, _FAR)
        hidden = functional.gelu(self.entry(self.dropout(standard)))
        for block in self.blocks:
            hidden = hidden + self.dropout(block(hidden))
        return hidden

    def _evidence(self, description: Tensor) -> Tensor:
        """What the description says: deviations from the usual, weighted by what they tell."""
        features, noise, total, power = description.float().split(self._sizes, 1)
        signal, share = log_signal(noise, total, power)
        loudness = (noise / total.clamp_min(_TINY) + _QUIET).log()
        return torch.cat([features, loudness, share, share * (signal - self.typical)], 1)

    @torch.no_grad()
    def settle(self, description: Tensor) -> None:
        """Learn from descriptions (N, D) what is usual, before training."""
        _, noise, total, power = description.float().split(self._sizes, 1)
        signal, share = log_signal(noise, total, power)
        self.typical.copy_((share * signal).sum(0) / share.sum(0).clamp_min(1))


class Head(DescriptionReader):
    """From a description to a blur: corrects the ResNet's answer, tells how far to trust it.

    Parameters
    ----------
    n_outputs
        K.
    n_bins
        Of the power spectrum, B.
    n_coefficients
        P.
    width
        Of the hidden layers.
    """

    def __init__(self, n_outputs: int, n_bins: int, *, n_coefficients: int, width: int) -> None:
        super().__init__(n_bins, width=width)
        #: From the ResNet's features to its own answer.
        self.glance = nn.Linear(N_FEATURES, n_outputs)
        # Training begins with the ResNet's own answer.
        correction = nn.Linear(width, n_outputs)
        nn.init.zeros_(correction.weight)
        nn.init.zeros_(correction.bias)
        self.correction = nn.Sequential(nn.LayerNorm(width), correction)
        self.foreign = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 1))
        # No more than linear: examples of errors are few.
        log_std = nn.Linear(width, n_coefficients)
        nn.init.zeros_(log_std.weight)
        nn.init.constant_(log_std.bias, _USUAL_LOG_STD)
        self.log_std = nn.Sequential(nn.LayerNorm(width), log_std)

    def forward(self, description: Tensor) -> Reading:
        """Read mean descriptions, shape (N, D)."""
        hidden = self.hidden(description)
        features = description[:, :N_FEATURES]
        # The errors are learned from afterwards: they must not bend what they are errors of.
        return Reading(
            self.glance(features).float() + self.correction(hidden).float(),
            self.foreign(hidden)[:, 0].float(),
            self.log_std(hidden.detach()).float(),
        )


class _ResidualBlock(nn.Sequential):
    def __init__(self, width: int) -> None:
        super().__init__(
            nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Linear(width, width)
        )
