"""Normal equations of data sets that share some unknowns and have others of their own."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

__all__ = ["NormalEquations"]


@dataclass(frozen=True)
class NormalEquations:
    """Normal equations in blocks: the coefficients, which all B data sets share, and the rest.

    Attributes
    ----------
    shared
        Shape (P, P).
    mixed
        Shape (B, P, K).
    own
        Shape (B, K, K).
    pull_shared
        Right side of the coefficients, shape (P,).
    pull_own
        Right side of the rest, shape (B, K).
    """

    shared: Tensor
    mixed: Tensor
    own: Tensor
    pull_shared: Tensor
    pull_own: Tensor

    def double(self) -> NormalEquations:
        """Convert to double precision, which the elimination needs."""
        return NormalEquations(*(getattr(self, name.name).double() for name in fields(self)))

    def damped(self, damping: float) -> NormalEquations:
        """Grow the diagonal by a share of itself, as Levenberg and Marquardt do."""
        diagonal = self.own.diagonal(dim1=-2, dim2=-1)
        return replace(
            self,
            shared=self.shared + damping * torch.diag(self.shared.diagonal()),
            own=self.own + damping * torch.diag_embed(diagonal),
        )

    def reduced(self) -> tuple[Tensor, Tensor]:
        """Eliminate the unknowns that are not shared: matrix (P, P) and right side (P,)."""
        coupling = torch.linalg.solve(self.own, self.mixed.mT).mT
        right = self.pull_shared - torch.einsum("bpk,bk->p", coupling, self.pull_own)
        return self.shared - (coupling @ self.mixed.mT).sum(0), right

    def solve(self) -> tuple[Tensor, Tensor]:
        """Solve for steps of the coefficients (P,) and of the other unknowns (B, K)."""
        change = torch.linalg.solve(*self.reduced())
        left = self.pull_own - torch.einsum("bpk,p->bk", self.mixed, change)
        return change, torch.linalg.solve(self.own, left)
