"""The blur of a stack in the corner of its domain, beside the general one."""

import pytest
import torch

from helpers.stacks import GAMMA, KNOWN
from napari_deepblur.engine.volume.stack_blur import StackBlur
from napari_deepblur.operators import VolumeBlur

SHAPE, DOMAIN = (5, 18, 24), (9, 32, 40)


@pytest.fixture(scope="module")
def blur():
    return StackBlur(KNOWN.pupil(DOMAIN).transfer(torch.from_numpy(GAMMA)), SHAPE, DOMAIN)


def noise(shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_it_is_the_volume_blur_moved_to_the_corner(blur):
    general = VolumeBlur(blur.transfer, SHAPE, DOMAIN)
    sharp = noise(DOMAIN)
    corner = sharp.roll([-width for width in general.margin], dims=(0, 1, 2))
    torch.testing.assert_close(blur.seen(corner), general.forward(sharp), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(blur.in_stack(corner), general.crop(sharp))


def test_spreading_with_the_conjugate_is_the_adjoint(blur):
    sharp, image = noise(DOMAIN), noise(SHAPE, seed=1)
    back = blur.spread(image, blur.transfer.conj())
    assert float((blur.seen(sharp) * image).sum()) == pytest.approx(
        float((sharp * back).sum()), rel=1e-3
    )


def test_what_it_is_given_stays_as_it_was(blur):
    sharp, image = noise(DOMAIN), noise(SHAPE, seed=1)
    before = sharp.clone(), image.clone(), blur.transfer.clone()
    blur.seen(sharp)
    blur.spread(image, blur.transfer)
    for now, was in zip((sharp, image, blur.transfer), before, strict=True):
        assert torch.equal(now, was)
