"""Intensity scale of the deblurring network, and the way back to counts."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

__all__ = ["BRIGHT_SHARE", "DARK_SHARE", "IntensityScale"]

#: Shares of the brightest and of the darkest pixels that set the scale.
BRIGHT_SHARE, DARK_SHARE = 1e-3, 1e-2


@dataclass(frozen=True, slots=True)
class IntensityScale:
    """Dark level and span of images; both follow gain and offset of the camera.

    So whatever is computed between `normalise` and `restore` satisfies
    f(a y + b) = a f(y) + b to rounding.
    """

    dark: Tensor  # (N, 1, 1)
    span: Tensor  # (N, 1, 1), positive

    @classmethod
    def of(cls, image: Tensor) -> IntensityScale:
        """Measure the scale of images (N, Y, X): from the 1 % darkest to the 0.1 % brightest.

        The brightest pixels' mean, not a quantile: a field of a few points has its span,
        while a single hot pixel among many does not set it.
        """
        flat = image.flatten(1)
        n_bright = max(1, round(BRIGHT_SHARE * flat.shape[1]))
        n_dark = max(1, round(DARK_SHARE * flat.shape[1]))
        dark = flat.kthvalue(n_dark, dim=1).values
        span = flat.topk(n_bright, dim=1).values.mean(1) - dark
        positive = span.where(span > 0, 1)
        return cls(dark[:, None, None], positive[:, None, None])

    def normalise(self, image: Tensor) -> Tensor:
        """Convert counts to the scale of the network, mostly in [0, 1]."""
        return (image - self.dark) / self.span

    def restore(self, image: Tensor) -> Tensor:
        """Convert back to counts."""
        return image * self.span + self.dark
