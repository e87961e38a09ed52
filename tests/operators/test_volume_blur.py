"""Blur of a volume: the properties of a linear operator, and that of a convolution."""

import pytest
import torch

from helpers import properties
from napari_deepblur.operators import Convolution, VolumeBlur
from napari_deepblur.operators.fourier_blur import fast_shape


def random_blur(shape, domain, seed=0):
    generator = torch.Generator().manual_seed(seed)
    psf = torch.rand(domain, generator=generator, dtype=torch.float64)
    return VolumeBlur(torch.fft.rfftn(psf / psf.sum()), shape, domain)


@pytest.mark.parametrize("domain", [(6, 8, 9), (5, 6, 8), (4, 5, 6)])
def test_properties(domain):
    operator = random_blur((4, 5, 6), domain)
    properties.assert_is_linear_operator(operator, batch=(2,))
    properties.assert_is_linear_operator(operator.H)


def test_a_small_psf_is_a_convolution():
    psf = torch.rand(3, 5, 3, dtype=torch.float64)
    convolution = Convolution(psf, (6, 8, 7))
    assert fast_shape(convolution.domain_shape) == convolution.domain_shape
    operator = VolumeBlur(convolution.transfer, (6, 8, 7), convolution.domain_shape)
    sharp = properties.random_images(operator.domain_shape)
    torch.testing.assert_close(operator.forward(sharp), convolution.forward(sharp))


def test_the_norm_of_a_psf_is_its_sum():
    operator = random_blur((6, 8, 9), (6, 8, 9))
    assert float(operator.norm()) == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize(("domain", "half"), [((7, 8, 9), (7, 8, 5)), ((6, 8, 9), (6, 8, 9))])
def test_shapes_that_do_not_fit_are_refused(domain, half):
    with pytest.raises(ValueError, match="transfer function"):
        VolumeBlur(torch.ones(half, dtype=torch.complex64), (4, 5, 6), domain)
