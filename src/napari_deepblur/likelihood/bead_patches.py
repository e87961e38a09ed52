"""Patches of an image with one bead in each, and their noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Beads"]


@dataclass(frozen=True)
class Beads:
    """Patches of an image with one bead in each.

    Attributes
    ----------
    counts
        Shape (B, h, h), h odd.
    usable
        Pixels that hold no light of another thing, same shape.
    dark_variance
        Variance of the noise beside each bead, shape (B,).
    gain
        Growth of the variance with the light of each bead, counts per photon, shape (B,).
    """

    counts: Tensor
    usable: Tensor
    dark_variance: Tensor
    gain: Tensor

    def __len__(self) -> int:
        return len(self.counts)

    def only(self, chosen: Tensor) -> Beads:
        """Keep some of the beads, by their numbers or by a mask (B,)."""
        return Beads(
            self.counts[chosen],
            self.usable[chosen],
            self.dark_variance[chosen],
            self.gain[chosen],
        )

    def brightest(self, n: int) -> Beads:
        """Keep the n beads that have the brightest pixels."""
        peak = torch.where(self.usable, self.counts, 0).amax((-2, -1))
        return self.only(peak.argsort(descending=True)[:n])

    @classmethod
    def joined(cls, parts: Sequence[Beads]) -> Beads:
        """Put beads of several images together."""
        return cls(
            torch.cat([part.counts for part in parts]),
            torch.cat([part.usable for part in parts]),
            torch.cat([part.dark_variance for part in parts]),
            torch.cat([part.gain for part in parts]),
        )
