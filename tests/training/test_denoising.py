"""The denoiser's loss: what it counts, and that training lowers it."""

import math

import pytest
import torch
from torch import nn

from napari_deepblur.networks.denoiser import Denoiser
from napari_deepblur.training.denoising import denoising_loss, draw_contrasts


class Nothing(nn.Module):
    """A denoiser that leaves the image."""

    def forward(self, image, deviation):
        return image


class Watcher(nn.Module):
    """Remembers what it was shown."""

    def forward(self, image, deviation):
        self.image, self.deviation = image, deviation
        return image


def crops(n=32, size=48):
    return torch.rand(n, 1, 1) * torch.rand(
        n, size, size, generator=torch.Generator().manual_seed(1)
    )


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_to_leave_the_noise_costs_its_variance():
    assert float(denoising_loss(Nothing(), crops(), generator())) == pytest.approx(0, abs=0.25)


def test_all_levels_of_noise_are_shown():
    watcher = Watcher()
    denoising_loss(watcher, crops(256), generator())
    level = watcher.deviation.square().mean((-2, -1)).sqrt() / watcher.image.std((-2, -1))
    assert float(level.min()) < 0.03
    assert float(level.max()) > 0.7


def test_training_lowers_the_loss():
    torch.manual_seed(0)
    network = Denoiser(n_channels=8, n_scales=2)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    flat = torch.full((8, 32, 32), 0.5)
    for step in range(40):
        optimizer.zero_grad()
        denoising_loss(network, flat, generator(step)).backward()
        optimizer.step()
    with torch.no_grad():
        after = float(denoising_loss(network, flat, generator(99)))
    assert after < math.log(0.7)


def test_half_of_the_crops_are_dim_parts_of_a_field():
    contrast, whole = draw_contrasts(2000, generator())
    assert float(whole.float().mean()) == pytest.approx(0.5, abs=0.05)
    assert bool((contrast[whole] == 1).all())
    parts = contrast[~whole]
    assert float(parts.min()) < 0.06
    assert float(parts.max()) < 1
    assert float(parts.log().mean()) == pytest.approx(math.log(0.05) / 2, abs=0.1)
