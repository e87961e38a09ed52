"""The bundled light-sheet model beats the answers that need no network, and its PSFs add up."""

import numpy as np
import pytest
import torch

from helpers.images import CANONICAL_OPTICS
from napari_deepblur import check_deblurring, deblur, estimate_blur, load_model
from napari_deepblur.engine.metrics import psf_snr, psnr
from napari_deepblur.training.data.sources import Mixture, ProceduralScenes
from napari_deepblur.training.data.synthesis import add_noise

SCENES = ("filaments", "points", "nuclei", "membranes", "dead_leaves", "filaments")
NOISE_LEVEL = 0.01


@pytest.fixture(scope="module")
def family():
    return load_model("spim").family


@pytest.fixture(scope="module")
def cases(family):
    """Images (6, 384, 384), sharp ones, and the coefficients of their blurs (6, P)."""
    generator = torch.Generator().manual_seed(5)
    gamma = family.admissible_set.sample(len(SCENES), seed=21)
    operator = family.operator(gamma, (384, 384))
    side = operator.domain_shape[0]
    scenes = [
        Mixture({name: ProceduralScenes(name)}, {name: 1}).sample(1, side, generator)[0]
        for name in SCENES
    ]
    sharp = 4000 * torch.stack(scenes)
    levels = torch.full((len(SCENES),), NOISE_LEVEL)
    images = add_noise(operator(sharp), levels, generator)
    return images + 100, operator.crop(sharp) + 100, gamma


@pytest.fixture(scope="module")
def blurs(cases):
    return [
        estimate_blur(image.numpy(), optics=CANONICAL_OPTICS, model="spim") for image in cases[0]
    ]


def places():
    axis = torch.linspace(-0.75, 0.75, 4)
    return torch.cartesian_prod(axis, axis)


def test_psf_over_the_field_is_nearer_than_the_mean_operator_and_than_one_psf(family, cases, blurs):
    gamma = cases[2]
    true = family.psf_at(gamma, places())
    estimated = torch.stack([torch.from_numpy(blur.coefficients[0]) for blur in blurs])
    mean = family.admissible_set.sample(100, seed=3).mean(0).expand_as(gamma)
    snr = {
        "estimated": psf_snr(family.psf_at(estimated, places()), true).mean(),
        "mean operator": psf_snr(family.psf_at(mean, places()), true).mean(),
        "true central": psf_snr(family.psf(gamma)[:, None], true).mean(),
    }
    assert snr["estimated"] > snr["mean operator"] + 3
    assert snr["estimated"] > snr["true central"] + 1


def test_coefficients_lie_in_the_admissible_set_and_psfs_sum_to_one(family, blurs):
    for blur in blurs:
        assert bool(family.admissible_set.contains(torch.from_numpy(blur.coefficients)).all())
        corner = blur.psf(position_yx=(0, 383))
        assert corner.sum() == pytest.approx(1, abs=1e-4)
        assert not np.allclose(corner, blur.psf(position_yx=(383, 0)), atol=1e-4)


def test_deblurring_brings_images_nearer_to_the_sharp_ones(cases, blurs):
    images, sharp, _ = cases
    gains = []
    for image, truth, blur in zip(images[:3], sharp[:3], blurs[:3], strict=True):
        restored = deblur(image.numpy(), blur)
        gains.append(float(psnr(torch.from_numpy(restored), truth) - psnr(image, truth)))
        assert restored.sum() == pytest.approx(float(image.sum()), rel=1e-3)
        assert 0.7 < check_deblurring(image.numpy(), restored, blur).residual[0] < 2
    assert min(gains) > 0
    assert np.mean(gains) > 2
