"""A denoiser that serves as the proximal operator of all iterations: a small U-Net.

Source: Zhang et al., "Plug-and-play image restoration with deep denoiser prior", IEEE TPAMI 44
(2022), whose denoiser also receives the noise as a map; U-Net: Ronneberger et al., MICCAI 2015.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Denoiser"]

#: The network receives the logarithm of the noise, which then has about the range of an image.
_LEAST_NOISE, _LOG_SCALE = 1e-3, 4.0


class Denoiser(nn.Module):
    """Residual U-Net that removes noise of known standard deviation from an image.

    It works on 2 × 2 (or larger) pixel blocks as channels, which keeps it fast at full
    resolution. It predicts the noise divided by its standard deviation, so that weak noise is
    learned as well as strong noise. It starts as the identity.

    Parameters
    ----------
    n_channels
        Channels at the finest scale; each coarser scale has twice as many.
    n_scales
        Number of scales; each halves both sides of the one before.
    n_blocks
        Residual blocks of two convolutions at each scale on the way down, and as many on the
        way up.
    unshuffle
        Side of the pixel blocks.
    """

    def __init__(
        self, *, n_channels: int = 32, n_scales: int = 3, n_blocks: int = 1, unshuffle: int = 2
    ) -> None:
        super().__init__()
        self.unshuffle = unshuffle
        self.multiple: int = unshuffle * 2 ** (n_scales - 1)
        n_pixels = unshuffle**2
        self.first = nn.Conv2d(n_pixels + 1, n_channels, 3, padding=1)
        self.scales = _Scales([n_channels * 2**scale for scale in range(n_scales)], n_blocks)
        self.last = nn.Conv2d(n_channels, n_pixels, 3, padding=1)
        for parameter in self.last.parameters():
            nn.init.zeros_(parameter)

    def forward(self, image: Tensor, deviation: Tensor) -> Tensor:
        """Remove the noise of an image.

        Parameters
        ----------
        image
            Shape (N, Y, X), on the scale of `IntensityScale`.
        deviation
            Standard deviation of the noise in the image's unit, of shape (N,), or at each pixel,
            of shape (N, Y, X).

        Returns
        -------
            Shape (N, Y, X).
        """
        if deviation.ndim == 1:
            deviation = deviation[:, None, None]
        deviation = deviation.clamp_min(_LEAST_NOISE).expand_as(image)
        height, width = image.shape[-2:]
        missing = (0, -width % self.multiple, 0, -height % self.multiple)
        told = torch.stack([image, deviation.log() / _LOG_SCALE], 1)
        pixels, level = functional.pad(told, missing, mode="replicate").split(1, 1)
        blocks = functional.pixel_unshuffle(pixels, self.unshuffle)
        features = torch.cat([blocks, functional.avg_pool2d(level, self.unshuffle)], 1)
        features = features.to(memory_format=torch.channels_last)
        noise = self.last(self.scales(self.first(features))).float()
        noise = functional.pixel_shuffle(noise, self.unshuffle)[:, 0, :height, :width]
        return image - deviation * noise


class _Scales(nn.Module):
    """Residual blocks at one scale, before and after those of the coarser scales."""

    def __init__(self, widths: Sequence[int], n_blocks: int) -> None:
        super().__init__()
        width, *coarser = widths
        self.before = nn.Sequential(*(_Block(width) for _ in range(n_blocks)))
        self.after = nn.Sequential(*(_Block(width) for _ in range(n_blocks)))
        self.coarser: nn.Module | None = None
        if coarser:
            self.down = nn.Conv2d(width, coarser[0], 2, stride=2)
            self.coarser = _Scales(coarser, n_blocks)
            self.up = nn.ConvTranspose2d(coarser[0], width, 2, stride=2)

    def forward(self, features: Tensor) -> Tensor:
        features = self.before(features)
        if self.coarser is not None:
            features = features + self.up(self.coarser(self.down(features)))
        cleaned: Tensor = self.after(features)
        return cleaned


class _Block(nn.Module):
    """Two convolutions whose result is added to their input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        inner = functional.relu(self.first(features), inplace=True)
        changed: Tensor = features + self.second(inner)
        return changed
