"""Features of image tiles: those of a ResNet-18, and the power spectrum.

The two complete each other. The power spectrum of a blurred image is that of the sharp one times
|OTF|², plus that of the noise: averaged over a field it shows the PSF up to its mirror image. The
ResNet responds to points and edges, which distinguish the PSF from its mirror image and help where
noise hides the spectrum.

Source: He et al., "Deep residual learning for image recognition", CVPR 2016; used for blur
identification by Debarnot & Weiss, Biological Imaging 4:e13 (2024).
"""

from __future__ import annotations

import torch
from torch import Tensor, fft, nn

from napari_deepblur.networks.resnet import N_FEATURES, ResNet18
from napari_deepblur.networks.spectrum import PowerSpectrum

__all__ = ["TileEncoder", "Whitening"]

#: Band of fine detail that shows the blur even through noise, cycles per pixel.
_FINE = (0.08, 0.25)

_TINY = torch.finfo(torch.float32).tiny


class Whitening(nn.Module):
    """Input normalisation: flat spectrum within the OTF's support, zero mean, unit variance.

    The spectrum of an image falls like 1 / |f|; multiplied by |f| it shows the zeros and ripples
    of the OTF at all frequencies alike. Gain and offset drop out exactly.

    Parameters
    ----------
    exponent
        The spectrum is multiplied by |f| to this power.
    highest_frequency
        Frequency beyond which there is only noise, cycles per pixel.
    taper
        Width in pixels of the margin in which the image fades out, since a discrete Fourier
        transform turns sharp borders into a cross.
    """

    def __init__(
        self, *, exponent: float = 1.0, highest_frequency: float = 0.5, taper: int = 12
    ) -> None:
        super().__init__()
        self.exponent = exponent
        self.highest_frequency = highest_frequency
        self.taper = taper

    def forward(self, image: Tensor) -> Tensor:
        """Normalise images of shape (N, Y, X)."""
        image = image.float()
        # First to the order of 1, so that neither tiny nor huge counts lose digits.
        image = image - image.mean((-2, -1), keepdim=True)
        image = image / _deviation(image)
        height, width = image.shape[-2:]
        window = self._fade(height, image)[:, None] * self._fade(width, image)
        spectrum = fft.rfft2(image * window)
        radius = torch.hypot(
            fft.fftfreq(height, device=image.device)[:, None],
            fft.rfftfreq(width, device=image.device),
        )
        inside = (radius <= self.highest_frequency).float()
        white: Tensor = fft.irfft2(spectrum * radius**self.exponent * inside, s=(height, width))
        return white / _deviation(white)

    def _fade(self, length: int, like: Tensor) -> Tensor:
        distance = torch.arange(length, device=like.device) + 0.5
        distance = torch.minimum(distance, distance.flip(0)) / self.taper
        return 0.5 - 0.5 * torch.cos(torch.pi * distance.clamp(max=1))


class TileEncoder(nn.Module):
    """Compute the features of tiles of an image.

    Features are additive: those of all tiles, planes or time points that share one blur are
    averaged, and a prediction from the mean uses them all.

    Parameters
    ----------
    whitening_exponent
        Exponent of `Whitening`.
    """

    def __init__(self, *, whitening_exponent: float = 1.0) -> None:
        super().__init__()
        self.whitening = Whitening(exponent=whitening_exponent)
        self.spectrum = PowerSpectrum()
        self.resnet = ResNet18()

    @property
    def n_features(self) -> int:
        """Number of features of a tile, D."""
        return N_FEATURES + 2 + self.spectrum.n_bins

    def encode(self, tiles: Tensor, *, band: float = 0.5) -> Tensor:
        """Compute the mean features of tiles that share a blur.

        Parameters
        ----------
        tiles
            Counts, shape (N, T, Y, X), sides ≥ 32.
        band
            Highest frequency along each axis that the camera sampled, cycles per pixel.

        Returns
        -------
            Shape (N, D).
        """
        tiles = self.standardise(tiles)
        flat = self.encode_each(tiles.flatten(0, 1), band=band)
        features: Tensor = flat.unflatten(0, tiles.shape[:2]).mean(1)
        return features

    @staticmethod
    def standardise(tiles: Tensor) -> Tensor:
        """Bring tiles (N, T, Y, X) to mean 0 each, and root mean square 1 over all T together.

        Neither tiny nor huge counts lose digits then, and all planes of a stack count alike,
        while the tiles of one plane keep their proportions.
        """
        tiles = tiles.float()
        tiles = tiles - tiles.mean((-2, -1), keepdim=True)
        # First by the largest value: the square of a huge or tiny count overflows.
        tiles = tiles / tiles.abs().amax((1, 2, 3), keepdim=True).clamp_min(_TINY)
        deviation: Tensor = tiles.square().mean((1, 2, 3), keepdim=True).sqrt()
        standard: Tensor = tiles / deviation.clamp_min(_TINY)
        return standard

    def encode_each(self, tiles: Tensor, *, band: float = 0.5) -> Tensor:
        """Compute the features of each standardised tile, shape (N, Y, X) to (N, D)."""
        return torch.cat([self.resnet_features(tiles), self.spectrum(tiles, band=band)], 1)

    def detail(self, features: Tensor) -> Tensor:
        """Compute the power of fine detail relative to the noise: (N, D) to (N,).

        It is about 0 for an image that holds only noise.
        """
        noise, _, power = features[:, N_FEATURES:].split((1, 1, self.spectrum.n_bins), 1)
        radius = self.spectrum.frequency[self.spectrum.inside].norm(dim=-1)
        low, high = _FINE
        fine = power[:, (radius > low) & (radius < high)].mean(1)
        ratio: Tensor = fine / noise[:, 0].clamp_min(_TINY) - 1
        return ratio

    def resnet_features(self, tiles: Tensor) -> Tensor:
        """Compute the features of the ResNet, tiles (N, Y, X) to (N, 512)."""
        white = self.whitening(tiles)[:, None]
        # Channels last: the layout in which convolutions are fastest on CPU and GPU.
        features: Tensor = self.resnet(white.to(memory_format=torch.channels_last))
        return features.float()


def _deviation(image: Tensor) -> Tensor:
    return image.std((-2, -1), keepdim=True).clamp_min(_TINY)
