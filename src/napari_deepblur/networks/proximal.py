"""The proximal operator of an unknown prior, as a small convolutional network."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["ProximalNetwork"]

#: Pixel blocks that go through the layers at once on a processor, so that what lies between two
#: layers stays in its cache: beyond it memory is what takes the time.
_BAND = 2**17

#: The noise level is heard as its logarithm, which then has about the range of an image.
_LEAST_NOISE, _LOG_SCALE = 1e-3, 4.0


class ProximalNetwork(nn.Module):
    """Residual CNN that cleans an image of a known noise level.

    Works on 2 × 2 (or larger) pixel blocks as channels, which keeps it fast at full
    resolution. It starts as the identity.

    Parameters
    ----------
    n_channels
        Width of the hidden layers.
    n_layers
        Convolutions, first and last included.
    unshuffle
        Side of the pixel blocks.
    """

    def __init__(self, *, n_channels: int = 32, n_layers: int = 4, unshuffle: int = 2) -> None:
        super().__init__()
        self.unshuffle = unshuffle
        block = unshuffle**2
        widths = [block + 1, *[n_channels] * (n_layers - 1), block]
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise(widths):
            layers += [nn.Conv2d(n_in, n_out, 3, padding=1), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers[:-1])
        #: Pixels by which the surroundings matter.
        self._reach = unshuffle * n_layers
        # The last change is zero: training starts from plain FISTA.
        for parameter in self.layers[-1].parameters():
            nn.init.zeros_(parameter)

    def forward(self, image: Tensor, heard: Tensor) -> Tensor:
        """Clean images of a known noise level.

        Parameters
        ----------
        image
            Shape (N, Y, X).
        heard
            What `hear` makes of the noise level; (N, 1, 1, 1) or (N, 1, Y / unshuffle, X /
            unshuffle).
        """
        height, rows = image.shape[-2], self._rows_at_once(image)
        if rows >= height:
            return self._cleaned(image, heard)
        cleaned = torch.empty_like(image)
        for first in range(0, height, rows):
            # What the border of a band spoils is cut off; that of the image is as it was.
            begin, end = max(0, first - self._reach), min(height, first + rows + self._reach)
            last = -(-end // self.unshuffle)
            level = heard if heard.shape[-2] == 1 else heard[..., begin // self.unshuffle : last, :]
            band = self._cleaned(image[:, begin:end], level)
            cleaned[:, first : first + rows] = band[:, first - begin :][:, :rows]
        return cleaned

    def hear(self, noise_level: Tensor) -> Tensor:
        """Say a noise level as the layers hear it: once for all iterations.

        Parameters
        ----------
        noise_level
            Standard deviation of the noise in the images' own unit: shape (N,), or (N, Y, X)
            where it differs from pixel to pixel.

        Returns
        -------
            Shape (N, 1, 1, 1), or (N, 1, Y / unshuffle, X / unshuffle) rounded up.
        """
        if noise_level.ndim == 1:
            level = noise_level[:, None, None, None]
        else:
            level = functional.avg_pool2d(self._padded(noise_level), self.unshuffle)
        return level.clamp_min(_LEAST_NOISE).log() / _LOG_SCALE

    @torch.no_grad()
    def keep_units(self, units: Sequence[Sequence[int]]) -> None:
        """Leave out all but some units of the hidden layers, as if the others never fired.

        Parameters
        ----------
        units
            Numbers of the units that stay, for each hidden layer.
        """
        convolutions = [layer for layer in self.layers if isinstance(layer, nn.Conv2d)]
        for (layer, following), kept in zip(pairwise(convolutions), units, strict=True):
            assert layer.bias is not None
            layer.weight = nn.Parameter(layer.weight[kept])
            layer.bias = nn.Parameter(layer.bias[kept])
            following.weight = nn.Parameter(following.weight[:, kept].contiguous())
            layer.out_channels = following.in_channels = len(kept)

    def _rows_at_once(self, image: Tensor) -> int:
        """Rows of pixels that fit in the cache; all of them on other devices and in training."""
        n_images, height, width = image.shape
        if image.device.type != "cpu" or torch.is_grad_enabled():
            return height
        return self.unshuffle * max(1, _BAND * self.unshuffle // (n_images * width))

    def features(self, image: Tensor, heard: Tensor) -> Tensor:
        """Compute what the first layer is given, shape (N, unshuffle² + 1, Y / 2, X / 2).

        For the parameters see `forward`.
        """
        blocks = functional.pixel_unshuffle(self._padded(image), self.unshuffle)
        level = heard.expand(-1, 1, *blocks.shape[-2:])
        return torch.cat([blocks, level], 1).to(
            dtype=next(self.layers.parameters()).dtype, memory_format=torch.channels_last
        )

    def _cleaned(self, image: Tensor, heard: Tensor) -> Tensor:
        features = self.features(image, heard)
        change = functional.pixel_shuffle(self.layers(features).float(), self.unshuffle)
        return image + change[:, 0, : image.shape[-2], : image.shape[-1]]

    def _padded(self, image: Tensor) -> Tensor:
        """Images (N, Y, X) continued to whole blocks, shape (N, 1, Y', X')."""
        below, right = (-side % self.unshuffle for side in image.shape[-2:])
        return functional.pad(image[:, None], (0, right, 0, below), mode="replicate")
