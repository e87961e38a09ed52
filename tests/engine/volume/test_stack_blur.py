"""The blur of a stack in the corner of its domain."""

import pytest
import torch

from helpers.stacks import GAMMA, KNOWN
from napari_deepblur.engine.volume.stack_blur import StackBlur
from napari_deepblur.operators import Convolution
from napari_deepblur.operators.fourier_blur import fast_shape

SHAPE, DOMAIN = (5, 18, 24), (9, 32, 40)


@pytest.fixture(scope="module")
def blur():
    return StackBlur(KNOWN.pupil(DOMAIN).transfer(torch.from_numpy(GAMMA)), SHAPE, DOMAIN)


def noise(shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_a_small_psf_is_a_convolution_moved_to_the_corner():
    shape = (6, 8, 7)
    convolution = Convolution(torch.rand(3, 5, 3), shape)
    domain = convolution.domain_shape
    assert fast_shape(domain) == domain
    blur = StackBlur(convolution.transfer, shape, domain)
    sharp, image = noise(domain), noise(shape, seed=1)
    moves = [-width for width in convolution.margin]
    corner = sharp.roll(moves, dims=(0, 1, 2))
    torch.testing.assert_close(blur.forward(corner), convolution.forward(sharp))
    torch.testing.assert_close(blur.crop(corner), convolution.crop(sharp))
    adjoint = convolution.adjoint(image).roll(moves, dims=(0, 1, 2))
    torch.testing.assert_close(blur.adjoint(image), adjoint, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("domain", "half"), [((4, 8, 9), (4, 8, 5)), ((6, 8, 9), (6, 8, 9))])
def test_shapes_that_do_not_fit_are_refused(domain, half):
    with pytest.raises(ValueError, match="transfer function"):
        StackBlur(torch.ones(half, dtype=torch.complex64), (5, 6, 7), domain)


def test_a_damped_inverse_lies_between_the_adjoint_and_the_inverse(blur):
    power = blur.transfer.abs().square()
    passed = blur.damped_inverse(0.2) * blur.transfer
    torch.testing.assert_close(passed.real, 1.2 * power / (power + 0.2))
    assert float(passed.imag.abs().max()) < 1e-6
    assert blur.damped_inverse(0.2) is blur.damped_inverse(0.2)
    torch.testing.assert_close(
        blur.damped_inverse(1e-7)[0, 0, 0] * blur.transfer[0, 0, 0], torch.ones(()) + 0j
    )


def test_the_adjoint_is_one(blur):
    sharp, image = noise(DOMAIN), noise(SHAPE, seed=1)
    back = blur.adjoint(image)
    assert float((blur.forward(sharp) * image).sum()) == pytest.approx(
        float((sharp * back).sum()), rel=1e-3
    )


def test_what_it_is_given_stays_as_it_was(blur):
    sharp, image = noise(DOMAIN), noise(SHAPE, seed=1)
    before = sharp.clone(), image.clone(), blur.transfer.clone()
    blur.forward(sharp)
    blur.spread(image, blur.transfer)
    for now, was in zip((sharp, image, blur.transfer), before, strict=True):
        assert torch.equal(now, was)
