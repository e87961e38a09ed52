"""Convolution: the properties of a linear operator, and scipy's answer."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import convolve

from helpers import properties
from napari_deepblur.operators import Convolution, LinearOperator, ZernikeFamily


def random_psf(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    psf = torch.rand(*shape, generator=generator, dtype=torch.float64)
    return psf / psf.sum((-2, -1), keepdim=True)


odd_sides = st.integers(0, 6).map(lambda half: 2 * half + 1)
sides = st.integers(1, 23)
few_odd_sides = st.integers(0, 3).map(lambda half: 2 * half + 1)
few_sides = st.integers(1, 9)
geometries = st.one_of(
    st.tuples(st.tuples(odd_sides, odd_sides), st.tuples(sides, sides)),
    st.tuples(st.tuples(*[few_odd_sides] * 3), st.tuples(*[few_sides] * 3)),
)


@given(geometry=geometries)
@settings(deadline=None, max_examples=40)
def test_properties_for_any_geometry(geometry):
    psf_shape, shape = geometry
    properties.assert_is_linear_operator(Convolution(random_psf(*psf_shape), shape), batch=(2,))


def test_properties_with_a_blur_for_each_image():
    operator = Convolution(random_psf(3, 5, 7), (12, 9))
    properties.assert_is_linear_operator(operator, batch=(3,))


def test_properties_of_the_adjoint():
    properties.assert_is_linear_operator(Convolution(random_psf(5, 3), (8, 11)).H)


@given(geometry=geometries)
@settings(deadline=None, max_examples=40)
def test_equals_scipy(geometry):
    psf_shape, shape = geometry
    psf = random_psf(*psf_shape)
    operator = Convolution(psf, shape)
    sharp = properties.random_images(operator.domain_shape)
    expected = convolve(sharp.numpy(), psf.numpy(), mode="valid")
    np.testing.assert_allclose(operator.forward(sharp).numpy(), expected, atol=1e-12)


def test_each_image_gets_its_own_blur():
    psf = random_psf(3, 5, 5)
    operator = Convolution(psf, (9, 14))
    sharp = properties.random_images(operator.domain_shape, batch=(3,))
    for index in range(3):
        alone = Convolution(psf[index], (9, 14))
        torch.testing.assert_close(operator.forward(sharp)[index], alone.forward(sharp[index]))


def test_adjoint_operator_and_back():
    operator = Convolution(random_psf(5, 5), (8, 8))
    image = properties.random_images(operator.range_shape)
    torch.testing.assert_close(operator.H.forward(image), operator.adjoint(image))
    assert operator.H.domain_shape == operator.range_shape
    assert operator.H.range_shape == operator.domain_shape
    assert operator.H.H is operator


@pytest.mark.parametrize(("shape", "excess"), [((12, 12), 0.04), ((25, 20), 0.02)])
def test_norm_is_a_close_upper_bound(shape, excess):
    psf = ZernikeFamily().pupil.psf(torch.zeros(7)).double()[13:18, 13:18]
    properties.assert_norm_bounds(Convolution(psf, shape), excess=excess)


def test_norm_of_a_blur_with_negative_lobes():
    psf = random_psf(5, 5) - 0.05
    properties.assert_norm_bounds(Convolution(psf, (12, 12)), excess=0.15)


def test_power_iteration_finds_the_norm():
    operator = Convolution(random_psf(2, 5, 5), (12, 12))
    norms = LinearOperator.norm(operator, n_iterations=200)
    assert norms.shape == (2,)
    for psf, norm in zip(operator.psf(), norms, strict=True):
        dense = properties.dense_matrix(Convolution(psf, (12, 12)))
        assert float(norm) == pytest.approx(float(torch.linalg.matrix_norm(dense, 2)), rel=1e-4)


def test_the_adjoints_norm_is_the_norm():
    operator = Convolution(random_psf(3, 3), (10, 10))
    exact = float(torch.linalg.matrix_norm(properties.dense_matrix(operator), 2))
    assert float(operator.H.norm(n_iterations=200)) == pytest.approx(exact, rel=1e-4)


def test_norm_has_the_batch_of_the_blurs():
    assert Convolution(random_psf(4, 5, 5), (12, 12)).norm().shape == (4,)


@pytest.mark.parametrize("shape", [(12, 12), (11, 9), (13, 17)])
def test_preconditioned_steps_never_overshoot(shape):
    properties.assert_preconditioned_steps_never_overshoot(Convolution(random_psf(5, 3), shape))


def test_norm_and_steps_in_three_dimensions():
    operator = Convolution(random_psf(3, 5, 3) - 0.01, (5, 6, 4))
    properties.assert_norm_bounds(operator, excess=0.6)
    properties.assert_preconditioned_steps_never_overshoot(operator)
    assert float(LinearOperator.norm(operator, n_iterations=200)) <= float(operator.norm())


def test_a_volume_is_continued_by_its_outermost_voxels():
    operator = Convolution(random_psf(3, 5, 3), (4, 6, 5))
    volume = properties.random_images((4, 6, 5), batch=(2,))
    extended = operator.extend(volume)
    assert torch.equal(operator.crop(extended), volume)
    assert torch.equal(extended[:, 0, 2:-2, 1:-1], volume[:, 0])


def test_without_curvature_the_direction_is_the_gradients():
    operator = Convolution(random_psf(2, 5, 5), (12, 14))
    image = properties.random_images((12, 14), batch=(2,))
    none = torch.zeros(2, dtype=torch.float64)
    general = LinearOperator.preconditioned_adjoint(operator, image, none)
    torch.testing.assert_close(operator.preconditioned_adjoint(image, none), general)


def test_each_image_gets_its_own_curvature():
    operator = Convolution(random_psf(5, 5), (12, 14))
    image = properties.random_images((12, 14), batch=(2,))
    curvature = torch.tensor([0.2, 0.9], dtype=torch.float64)
    together = operator.preconditioned_adjoint(image, curvature)
    for index in range(2):
        alone = operator.preconditioned_adjoint(image[index, None], curvature[index, None])
        torch.testing.assert_close(alone[0], together[index])


def test_an_image_is_continued_by_its_outermost_pixels():
    operator = Convolution(random_psf(5, 3), (4, 6))
    image = properties.random_images((4, 6), batch=(2,))
    extended = operator.extend(image)
    assert extended.shape == (2, *operator.domain_shape)
    assert torch.equal(operator.crop(extended), image)
    assert torch.equal(extended[:, 0, 1:-1], image[:, 0])
    assert torch.equal(extended[:, 2:-2, -1], image[:, :, -1])


def test_a_constant_stays_constant_up_to_the_border():
    family = ZernikeFamily()
    operator = family.operator(family.admissible_set.sample(1, seed=0)[0], (40, 56))
    image = operator.forward(torch.full(operator.domain_shape, 7.0))
    torch.testing.assert_close(image, torch.full((40, 56), 7.0), rtol=1e-5, atol=0)


def test_a_point_becomes_the_psf():
    psf = random_psf(7, 5)
    operator = Convolution(psf, (15, 13))
    sharp = torch.zeros(operator.domain_shape, dtype=torch.float64)
    sharp[operator.margin[0] + 7, operator.margin[1] + 6] = 1
    image = operator.forward(sharp)
    torch.testing.assert_close(image[4:11, 4:9], psf)
    assert float(image.sum()) == pytest.approx(1)


def test_crop_and_embed():
    operator = Convolution(random_psf(7, 5), (10, 12))
    image = properties.random_images(operator.range_shape, batch=(2,))
    assert torch.equal(operator.crop(operator.embed(image)), image)
    sharp = properties.random_images(operator.domain_shape, batch=(2,))
    left = properties.inner_product(operator.crop(sharp), image)
    torch.testing.assert_close(left, properties.inner_product(sharp, operator.embed(image)))


@pytest.mark.parametrize("shape", [(4, 5), (5, 4), (2, 2)])
def test_an_even_psf_has_no_centre(shape):
    with pytest.raises(ValueError, match=f"odd, got {shape[0]} × {shape[1]}"):
        Convolution(torch.ones(shape), (16, 16))


def test_images_of_another_shape_are_refused():
    operator = Convolution(random_psf(5, 5), (16, 16))
    with pytest.raises(ValueError, match=r"\(20, 20\).*got \(16, 16\)"):
        operator.forward(torch.zeros(16, 16))
    with pytest.raises(ValueError, match=r"\(16, 16\).*got \(3, 20, 20\)"):
        operator.adjoint(torch.zeros(3, 20, 20))
