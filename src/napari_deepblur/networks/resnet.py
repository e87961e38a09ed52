"""ResNet-18 for images of one channel.

Source: He et al., "Deep residual learning for image recognition", CVPR 2016, table 1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["N_FEATURES", "ResNet18"]

_WIDTHS = (64, 64, 128, 256, 512)

#: Length of the feature vector that the network computes for an image.
N_FEATURES = _WIDTHS[-1]


class ResNet18(nn.Module):
    """Map images (N, 1, Y, X) to features (N, 512).

    A 7 × 7 convolution and a maximum, both of stride 2, then four stages of two residual blocks,
    then the mean over the image. No bias stands before a batch normalisation.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, _WIDTHS[0], 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(_WIDTHS[0])
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _stage(*_WIDTHS[0:2], stride=1)
        self.layer2 = _stage(*_WIDTHS[1:3], stride=2)
        self.layer3 = _stage(*_WIDTHS[2:4], stride=2)
        self.layer4 = _stage(*_WIDTHS[3:5], stride=2)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """Compute the features of images, shape (N, 1, Y, X) to (N, 512)."""
        maps = self.maxpool(torch.relu_(self.bn1(self.conv1(images))))
        maps = self.layer4(self.layer3(self.layer2(self.layer1(maps))))
        features: Tensor = maps.mean((-2, -1))
        return features


class _BasicBlock(nn.Module):
    """Two 3 × 3 convolutions whose output is added to the input, shape (N, C, Y, X)."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(n_out)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(n_out)
        self.downsample: nn.Module = nn.Identity()
        if n_in != n_out:
            shortcut = nn.Conv2d(n_in, n_out, 1, stride=stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(n_out))

    def forward(self, maps: Tensor) -> Tensor:
        change = self.bn2(self.conv2(torch.relu_(self.bn1(self.conv1(maps)))))
        return torch.relu_(change + self.downsample(maps))


def _stage(n_in: int, n_out: int, *, stride: int) -> nn.Sequential:
    """Make two blocks, of which the first one changes width and size."""
    return nn.Sequential(_BasicBlock(n_in, n_out, stride), _BasicBlock(n_out, n_out, 1))
