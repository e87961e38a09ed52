"""Prior of the power spectrum of sharp images, learned from sharp images.

The logarithm of a sharp image's power spectrum is a mean, plus a few principal components with
standard normal coefficients, plus an independent remainder of known variance in each bin.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from napari_deepblur.likelihood.spectra import WINDOW

if TYPE_CHECKING:
    from typing import Self

__all__ = ["SpectralPrior"]

#: Power of a bin by the image's mean power below which it is rounding.
_FLOOR = 1e-9


@dataclass(frozen=True)
class SpectralPrior:
    """Gaussian prior of log power spectra on a grid of G × G frequencies.

    Attributes
    ----------
    mean
        Mean of the log spectrum, shape (G, G / 2 + 1), the frequencies of `torch.fft.rfft2`.
    components
        Principal components times their standard deviations, shape (K, G, G / 2 + 1).
    remainder
        Variance that the components leave in each bin, shape (G, G / 2 + 1).
    """

    mean: Tensor
    components: Tensor
    remainder: Tensor

    @property
    def grid(self) -> int:
        """Number of frequencies along an axis, G."""
        return len(self.mean)

    @classmethod
    def of(cls, powers: Iterable[Tensor], *, n_components: int) -> Self:
        """Learn the prior from power spectra of sharp images.

        Parameters
        ----------
        powers
            Power spectra, each of shape (G, G / 2 + 1), in any unit.
        n_components
            Number of principal components, K.

        Raises
        ------
        ValueError
            If there are not more spectra than components.
        """
        logs = torch.stack([(power / power.mean() + _FLOOR).log() for power in powers])
        if len(logs) <= n_components:
            raise ValueError(
                f"{n_components} components need more spectra than that, got {len(logs)}"
            )
        mean = logs.mean(0)
        centred = (logs - mean).flatten(1)
        # There are more bins than images: the smaller of the two Gram matrices tells all.
        energy, turns = torch.linalg.eigh((centred @ centred.T).double())
        turns = turns[:, -n_components:].flip(1).float()
        size = energy[-n_components:].flip(0).clamp_min(1e-9).sqrt().float()
        directions = turns.T @ centred / size[:, None]
        left = centred - (centred @ directions.T) @ directions
        components = directions * (size / len(logs) ** 0.5)[:, None]
        return cls(
            mean, components.reshape(-1, *mean.shape), left.square().mean(0).reshape(mean.shape)
        )

    def to_bytes(self) -> bytes:
        """Content of a safetensors file, in half precision."""
        from safetensors.torch import save

        parts = {"mean": self.mean, "components": self.components, "remainder": self.remainder}
        return bytes(save({name: part.half().contiguous() for name, part in parts.items()}))

    @classmethod
    def of_bytes(cls, content: bytes) -> Self:
        """Read what `to_bytes` wrote.

        Raises
        ------
        ValueError
            If the content is something else, or of other windows than those in use.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load

        try:
            parts = {name: part.float() for name, part in load(content).items()}
        except SafetensorError as error:
            raise ValueError(f"this is no spectral prior: {error}") from error
        if set(parts) != {"mean", "components", "remainder"}:
            raise ValueError(f"this is no spectral prior: it holds {sorted(parts)}")
        shape = (2 * WINDOW, WINDOW + 1)
        if any(part.shape[-2:] != shape for part in parts.values()) or parts["mean"].ndim != 2:
            shapes = {name: tuple(part.shape) for name, part in parts.items()}
            raise ValueError(f"the spectral prior must be of {shape} frequencies, got {shapes}")
        if not all(bool(part.isfinite().all()) for part in parts.values()):
            raise ValueError("the spectral prior holds NaN or infinity")
        return cls(**parts)
