"""Blurs for the deblurring network: of several kinds and families, mistaken on demand."""

import pytest
import torch

from helpers.families import varying_family
from napari_deepblur.operators import Convolution, ProductConvolution, ZernikeFamily
from napari_deepblur.operators.family_file import write_family
from napari_deepblur.training.config import (
    DeblurringConfig,
    FamilyConfig,
    FamilyFolderConfig,
    SceneSource,
    StageConfig,
)
from napari_deepblur.training.data.blurs import Blurs, gaussian_mixtures

CPU = torch.device("cpu")


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def blurs_of(**settings):
    stages = [StageConfig(n_crops=1, mix={"points": 1})]
    sources = {"points": SceneSource(scene="points")}
    return Blurs(DeblurringConfig(output="x", sources=sources, stages=stages, **settings), CPU)


@pytest.fixture(scope="module")
def family_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("family")
    write_family(folder / "family.npz", varying_family())
    return folder


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
    blurs = blurs_of(family=FamilyConfig(cutoff=(0.15, 0.35)), gaussian_mixtures=0.3)
    generator = seeded()
    sides = [blurs.sample(2, 16, 0.0, generator)[0].psf().shape[-1] for _ in range(60)]
    smeared = blurs_of(gaussian_mixtures=1.0).sample(2, 16, 0.0, generator)[0]
    assert smeared.psf().shape == (2, 31, 31)
    assert smeared.range_shape == (16, 16)
    assert len(set(sides)) >= 4


def test_known_blurs_unless_an_error_is_asked_for():
    blurs = blurs_of()
    operator, believed = blurs.sample(8, 16, 0.0, seeded())
    assert torch.equal(operator.psf(), believed.psf())
    operator, believed = blurs.sample(64, 16, 0.1, seeded())
    wrong = (operator.psf() - believed.psf()).abs().amax((-2, -1)) > 1e-6
    assert float(wrong.float().mean()) == pytest.approx(0.5, abs=0.2)


def test_mixtures_are_never_mistaken():
    operator, believed = blurs_of(gaussian_mixtures=1.0).sample(4, 16, 0.1, seeded())
    assert torch.equal(operator.psf(), believed.psf())


def test_validation_is_of_the_models_family_and_always_the_same():
    blurs = blurs_of(family=FamilyConfig(cutoff=(0.15, 0.35)), gaussian_mixtures=0.5)
    operator = blurs.validation(3, 20)
    gamma = ZernikeFamily().admissible_set.sample(3, seed=1)
    torch.testing.assert_close(operator.psf(), ZernikeFamily(cutoff=0.25).psf(gamma))
    assert operator.range_shape == (20, 20)
    assert torch.equal(operator.psf(), blurs.validation(3, 20).psf())


def corners(operator):
    """PSFs in the four corners of the field, shape (4, n, h, w)."""
    height, width = operator.range_shape
    places = [(y, x) for y in (0, height - 1) for x in (0, width - 1)]
    return torch.stack([operator.psf(place) for place in places])


def test_blurs_of_a_varying_family(family_folder):
    blurs = blurs_of(family=FamilyFolderConfig(folder=family_folder, cutoff=(0.15, 0.35)))
    assert blurs.family.varies
    generator, sides = seeded(), set()
    for _ in range(12):
        operator, believed = blurs.sample(3, 24, 0.0, generator)
        assert isinstance(operator, ProductConvolution)
        assert operator.range_shape == (24, 24)
        psfs = corners(operator)
        torch.testing.assert_close(psfs.sum((-2, -1)), torch.ones(4, 3), rtol=0, atol=1e-4)
        assert torch.equal(psfs, corners(believed))
        # Crops of a part of the field, not all of it: the blur varies, yet less than it may.
        assert 1e-4 < float((psfs - psfs[0]).abs().max()) < 0.1
        sides.add(psfs.shape[-1])
    assert len(sides) >= 4


def test_half_of_the_varying_blurs_are_mistaken_if_asked(family_folder):
    blurs = blurs_of(family=FamilyFolderConfig(folder=family_folder))
    operator, believed = blurs.sample(64, 16, 0.1, seeded())
    wrong = (operator.psf() - believed.psf()).abs().amax((-2, -1)) > 1e-6
    assert float(wrong.float().mean()) == pytest.approx(0.5, abs=0.2)
    torch.testing.assert_close(corners(believed).sum((-2, -1)), torch.ones(4, 64))


def test_a_share_of_batches_is_of_varying_families(family_folder):
    blurs = blurs_of(varying_families=[family_folder], varying=0.5, gaussian_mixtures=0.2)
    generator = seeded()
    drawn = [blurs.sample(1, 16, 0.0, generator)[0] for _ in range(80)]
    varying = [isinstance(operator, ProductConvolution) for operator in drawn]
    assert sum(varying) / 80 == pytest.approx(0.5, abs=0.15)
    assert any(isinstance(operator, Convolution) for operator in drawn)
    # Yet the model is the pupil's, and validated on it.
    assert isinstance(blurs.family, ZernikeFamily)
    assert isinstance(blurs.validation(1, 16), Convolution)


def test_validation_of_a_varying_family(family_folder):
    blurs = blurs_of(family=FamilyFolderConfig(folder=family_folder, cutoff=(0.2, 0.3)))
    operator = blurs.validation(3, 20)
    family = varying_family()
    gamma = family.admissible_set.sample(3, seed=1)
    torch.testing.assert_close(operator.psf((9.5, 9.5)), family.psf(gamma), rtol=0, atol=1e-5)
    assert torch.equal(operator.weight_maps, blurs.validation(3, 20).weight_maps)
