"""The identification network: a ResNet-18 reads a blur off one image.

Source: He et al., "Deep residual learning for image recognition", CVPR 2016; used for blur
identification by Debarnot & Weiss, Biological Imaging 4:e13 (2024).
"""

from __future__ import annotations

import torch
from monai.networks.nets.resnet import ResNet
from torch import Tensor, fft, nn

__all__ = ["IdentificationNetwork", "Whitening", "resnet18"]


def resnet18(n_outputs: int) -> ResNet:
    """ResNet-18 for images of one channel: 7 × 7 / 2 stem, 4 stages × 2 basic blocks.

    Parameters
    ----------
    n_outputs
        Width of the final linear layer.
    """
    return ResNet(
        block="basic",
        layers=[2, 2, 2, 2],
        block_inplanes=[64, 128, 256, 512],
        spatial_dims=2,
        n_input_channels=1,
        conv1_t_size=7,
        conv1_t_stride=2,
        shortcut_type="B",
        num_classes=n_outputs,
        bias_downsample=False,
    )


class Whitening(nn.Module):
    """Input normalisation: flat spectrum within the OTF's support, zero mean, unit variance.

    An image's spectrum falls like 1 / |f|; multiplied by |f| it shows the OTF's zeros and
    ripples at all frequencies alike. Gain and offset drop out exactly.

    Parameters
    ----------
    exponent
        The spectrum is multiplied by |f| to this power.
    highest_frequency
        Cycles per pixel beyond which there is noise only.
    taper
        Pixels over which the image fades out at its borders, against the cross that a
        discrete Fourier transform makes of them.
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


class IdentificationNetwork(nn.Module):
    """Whitening and a ResNet-18; fully convolutional up to the pooling.

    Parameters
    ----------
    n_outputs
        Numbers that describe the blur: coordinates in an `EigenPsfSpace`, or γ itself.
    whitening_exponent
        See `Whitening`.
    """

    def __init__(self, n_outputs: int, *, whitening_exponent: float = 1.0) -> None:
        super().__init__()
        self.n_outputs = n_outputs
        self.whitening = Whitening(exponent=whitening_exponent)
        self.resnet = resnet18(n_outputs)

    def forward(self, image: Tensor) -> Tensor:
        """Read images of shape (N, Y, X), sides ≥ 64, any counts: (N, n_outputs)."""
        white = self.whitening(image)[:, None]
        # Channels last: the layout in which convolutions are fastest on CPU and GPU.
        answer: Tensor = self.resnet(white.to(memory_format=torch.channels_last))
        return answer.float()


def _deviation(image: Tensor) -> Tensor:
    return image.std((-2, -1), keepdim=True).clamp_min(torch.finfo(torch.float32).tiny)
