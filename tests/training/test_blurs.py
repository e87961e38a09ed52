"""Blurs for the deblurring network: normal, of several kinds, mistaken on demand."""

import pytest
import torch

from napari_deepblur.training.blurs import Blurs, gaussian_mixtures
from napari_deepblur.training.config import FamilyConfig

CPU = torch.device("cpu")


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_gaussian_mixtures_are_psfs():
    psf = gaussian_mixtures(200, seeded())
    assert psf.shape == (200, 31, 31)
    assert bool(torch.isfinite(psf).all())
    assert float(psf.min()) >= 0
    torch.testing.assert_close(psf.sum((-2, -1)), torch.ones(200))
    # Little light is lost at the window's border.
    border = psf.sum((-2, -1)) - psf[:, 1:-1, 1:-1].sum((-2, -1))
    assert float(border.max()) < 0.05


def test_gaussian_mixtures_differ_in_width_and_shape():
    psf = gaussian_mixtures(200, seeded())
    axis = torch.arange(31.0) - 15
    variance = (psf.sum(-1) * axis**2).sum(-1) - (psf.sum(-1) * axis).sum(-1) ** 2
    assert float(variance.min()) < 1
    assert float(variance.max()) > 9


def test_one_kind_per_batch_as_often_as_asked():
    blurs = Blurs(FamilyConfig(cutoff=(0.15, 0.35)), 0.3, CPU)
    generator = seeded()
    sides = [blurs.sample(2, 0.0, generator)[0].shape[-1] for _ in range(60)]
    smeared = Blurs(FamilyConfig(), 1.0, CPU).sample(2, 0.0, generator)[0]
    assert smeared.shape == (2, 31, 31)
    assert len(set(sides)) >= 4


def test_known_blurs_unless_an_error_is_asked_for():
    blurs = Blurs(FamilyConfig(), 0.0, CPU)
    psf, believed = blurs.sample(8, 0.0, seeded())
    assert torch.equal(psf, believed)
    psf, believed = blurs.sample(64, 0.1, seeded())
    wrong = (psf - believed).abs().amax((-2, -1)) > 1e-6
    assert float(wrong.float().mean()) == pytest.approx(0.5, abs=0.2)


def test_mixtures_are_never_mistaken():
    psf, believed = Blurs(FamilyConfig(), 1.0, CPU).sample(4, 0.1, seeded())
    assert torch.equal(psf, believed)
