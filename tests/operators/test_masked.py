"""A blur of which some pixels were not recorded."""

import pytest
import torch

from helpers.properties import assert_adjoint, assert_gradient_is_adjoint, assert_linear
from napari_deepblur.operators import Convolution
from napari_deepblur.operators.masked import Masked

SHAPE = (13, 17)


@pytest.fixture
def masked():
    generator = torch.Generator().manual_seed(0)
    psf = torch.rand(5, 3, generator=generator, dtype=torch.float64)
    return Masked(Convolution(psf / psf.sum(), SHAPE), torch.rand(SHAPE, generator=generator) > 0.3)


def test_is_a_linear_operator_with_its_adjoint(masked):
    assert_linear(masked)
    assert_adjoint(masked)
    assert_gradient_is_adjoint(masked)


def test_what_was_not_recorded_is_zero_and_has_no_say(masked):
    sharp = torch.rand(masked.domain_shape, dtype=torch.float64)
    assert (masked(sharp)[~masked.valid] == 0).all()
    image = torch.rand(SHAPE, dtype=torch.float64)
    other = torch.where(masked.valid, image, 7)
    torch.testing.assert_close(masked.adjoint(image), masked.adjoint(other))
    share = torch.tensor([0.5])
    torch.testing.assert_close(
        masked.preconditioned_adjoint(image[None], share),
        masked.preconditioned_adjoint(other[None], share),
    )


def test_the_norm_is_not_exceeded(masked):
    sharp = torch.rand(masked.domain_shape, dtype=torch.float64)
    assert masked(sharp).norm() <= masked.norm() * sharp.norm()


def test_a_mask_of_another_shape_is_refused(masked):
    with pytest.raises(ValueError, match=r"mask of \(13, 17\), got \(17, 13\)"):
        Masked(masked._operator, masked.valid.T)
