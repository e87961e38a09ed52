"""Product-convolution: the properties of a linear operator, and scipy's answer."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import convolve2d

from helpers import properties
from helpers.families import varying_family
from napari_deepblur.operators import Convolution, LinearOperator, ProductConvolution


def random_psfs(n, height, width, *, seed=0):
    generator = torch.Generator().manual_seed(seed)
    psfs = torch.rand(n, height, width, generator=generator, dtype=torch.float64)
    return psfs / psfs.sum((-2, -1), keepdim=True)


def random_operator(psf_shape, shape, *, n=3, batch=(), seed=0):
    """Eigen-PSFs of sum 1, and maps without any smoothness."""
    domain = (shape[0] + psf_shape[0] - 1, shape[1] + psf_shape[1] - 1)
    maps = properties.random_images(domain, batch=(*batch, n), seed=seed + 10)
    return ProductConvolution(random_psfs(n, *psf_shape, seed=seed), maps)


def smooth_operator(shape, *, window, n=1, seed=0):
    """Of pupils' PSFs and maps that change linearly over the field, in double precision."""
    family = varying_family(window=window)
    gamma = family.admissible_set.sample(n, seed=seed)
    operator = family.operator(gamma[0] if n == 1 else gamma, shape)
    return ProductConvolution(operator.eigen_psfs.double(), operator.weight_maps.double())


odd_sides = st.integers(0, 4).map(lambda half: 2 * half + 1)
sides = st.integers(1, 19)


@given(psf_shape=st.tuples(odd_sides, odd_sides), shape=st.tuples(sides, sides))
@settings(deadline=None, max_examples=15)
def test_properties_for_any_geometry(psf_shape, shape):
    properties.assert_is_linear_operator(random_operator(psf_shape, shape), batch=(2,))


def test_properties_with_a_blur_for_each_image():
    properties.assert_is_linear_operator(random_operator((5, 7), (12, 9), batch=(3,)), batch=(3,))


def test_properties_of_the_adjoint():
    properties.assert_is_linear_operator(random_operator((5, 3), (8, 11)).H)


def test_each_image_gets_its_own_blur():
    operator = random_operator((5, 5), (9, 14), batch=(3,))
    sharp = properties.random_images(operator.domain_shape, batch=(3,))
    image = properties.random_images(operator.range_shape, batch=(3,))
    for index in range(3):
        alone = ProductConvolution(operator.eigen_psfs, operator.weight_maps[index])
        torch.testing.assert_close(operator.forward(sharp)[index], alone.forward(sharp[index]))
        torch.testing.assert_close(operator.adjoint(image)[index], alone.adjoint(image[index]))


def test_the_dense_matrix_equals_scipys_column_by_column():
    operator = random_operator((5, 7), (24, 24))
    psfs, maps = operator.eigen_psfs.numpy(), operator.weight_maps.numpy()
    expected = np.empty((24 * 24, 28 * 30))
    for column in range(expected.shape[1]):
        unit = np.zeros((28, 30))
        unit.flat[column] = 1
        image = sum(
            convolve2d(weights * unit, psf, mode="valid")
            for weights, psf in zip(maps, psfs, strict=True)
        )
        expected[:, column] = image.ravel()
    np.testing.assert_allclose(properties.dense_matrix(operator).numpy(), expected, atol=1e-12)


def test_it_multiplies_first_and_then_convolves():
    operator = random_operator((5, 5), (16, 18))
    sharp = properties.random_images(operator.domain_shape)
    psfs = operator.eigen_psfs.numpy()
    first, last = np.zeros((16, 18)), np.zeros((16, 18))
    for weights, psf in zip(operator.weight_maps, psfs, strict=True):
        first += convolve2d((weights * sharp).numpy(), psf, mode="valid")
        last += operator.crop(weights).numpy() * convolve2d(sharp.numpy(), psf, mode="valid")
    image = operator.forward(sharp).numpy()
    np.testing.assert_allclose(image, first, atol=1e-12)
    assert np.abs(image - last).max() > 0.5


@pytest.mark.parametrize("place", [(6, 5), (8, 11), (11, 4)])
def test_a_point_becomes_the_psf_of_its_place(place):
    operator = random_operator((5, 7), (17, 16))
    sharp = torch.zeros(operator.domain_shape, dtype=torch.float64)
    y, x = place
    sharp[y + operator.margin[0], x + operator.margin[1]] = 1
    image = operator.forward(sharp)
    seen = image[y - 2 : y + 3, x - 3 : x + 4]
    torch.testing.assert_close(seen, operator.psf(place))
    # All of it, and nothing elsewhere.
    assert float(image.abs().sum()) == pytest.approx(float(seen.abs().sum()))


def test_psfs_have_the_batch_of_the_blurs():
    operator = random_operator((5, 5), (9, 14), batch=(3,))
    assert operator.psf((2, 3)).shape == (3, 5, 5)
    alone = ProductConvolution(operator.eigen_psfs, operator.weight_maps[1])
    torch.testing.assert_close(operator.psf((2, 3))[1], alone.psf((2, 3)))


def test_between_pixels_psfs_are_mixed():
    operator = random_operator((3, 3), (8, 9))
    corners = [operator.psf((y, x)) for y in (2, 3) for x in (5, 6)]
    mixed = sum(
        share * psf for share, psf in zip((0.1875, 0.5625, 0.0625, 0.1875), corners, strict=True)
    )
    torch.testing.assert_close(operator.psf((2.25, 5.75)), mixed)
    torch.testing.assert_close(operator.psf(), operator.psf((3.5, 4.0)))


def test_constant_maps_are_a_convolution():
    psfs = random_psfs(3, 5, 7)
    weights = torch.tensor([[0.5, 0.8, -0.3], [1.2, -0.4, 0.2]], dtype=torch.float64)
    maps = weights[:, :, None, None].expand(-1, -1, 14 + 4, 11 + 6)
    operator = ProductConvolution(psfs, maps)
    plain = Convolution(torch.tensordot(weights, psfs, dims=1), (14, 11))
    sharp = properties.random_images(operator.domain_shape, batch=(2,))
    image = properties.random_images((14, 11), batch=(2,))
    torch.testing.assert_close(operator.forward(sharp), plain.forward(sharp))
    torch.testing.assert_close(operator.adjoint(image), plain.adjoint(image))
    torch.testing.assert_close(operator.psf((3, 3)), plain.psf())
    curvature = torch.tensor([0.2, 0.9], dtype=torch.float64)
    torch.testing.assert_close(
        operator.preconditioned_adjoint(image, curvature),
        plain.preconditioned_adjoint(image, curvature),
    )


def test_a_flat_scene_stays_flat_where_psfs_have_sum_one():
    operator = smooth_operator((20, 26), window=9)
    image = operator.forward(torch.full(operator.domain_shape, 7.0, dtype=torch.float64))
    # Light comes from neighbours with other weights, yet all of it arrives nearly evenly.
    torch.testing.assert_close(image, torch.full_like(image, 7.0), rtol=5e-3, atol=0)


@pytest.mark.parametrize(("window", "shape"), [(7, (12, 12)), (9, (16, 14))])
def test_preconditioned_steps_do_not_overshoot_where_the_blur_varies_slowly(window, shape):
    """Measured: the largest eigenvalue of P A*A is 0.991 at most, and 0.02 its imaginary part."""
    operator = smooth_operator(shape, window=window)
    dense = properties.dense_matrix(operator)
    units = torch.eye(len(dense), dtype=torch.float64).reshape(-1, *operator.range_shape)
    means = []
    for curvature in (0.0, 0.95, 0.999):
        share = torch.full((len(units),), curvature, dtype=torch.float64)
        directions = operator.preconditioned_adjoint(units, share).flatten(1).T
        eigenvalues = torch.linalg.eigvals(directions @ dense)
        assert float(eigenvalues.abs().max()) < 1.05
        assert float(eigenvalues.real.min()) > -1e-3
        assert float(eigenvalues.imag.abs().max()) < 0.05
        means.append(float(eigenvalues.real.mean()))
    assert means == sorted(means)


def test_each_image_gets_its_own_curvature():
    operator = smooth_operator((12, 14), window=7, n=2)
    image = properties.random_images((12, 14), batch=(2,))
    curvature = torch.tensor([0.2, 0.9], dtype=torch.float64)
    together = operator.preconditioned_adjoint(image, curvature)
    for index in range(2):
        alone = ProductConvolution(operator.eigen_psfs, operator.weight_maps[index])
        step = alone.preconditioned_adjoint(image[index, None], curvature[index, None])
        torch.testing.assert_close(step[0], together[index])


def test_power_iteration_finds_the_norm():
    operator = random_operator((5, 5), (10, 10), batch=(2,))
    norms = operator.norm(n_iterations=300)
    assert norms.shape == (2,)
    for maps, norm in zip(operator.weight_maps, norms, strict=True):
        dense = properties.dense_matrix(ProductConvolution(operator.eigen_psfs, maps))
        assert float(norm) == pytest.approx(float(torch.linalg.matrix_norm(dense, 2)), rel=1e-3)


@pytest.mark.parametrize("n", [1, 4])
@pytest.mark.parametrize("batch", [(), (3,)])
def test_an_application_costs_one_transform_more_than_there_are_eigen_psfs(monkeypatch, n, batch):
    operator = random_operator((5, 5), (12, 12), n=n, batch=batch)
    image = properties.random_images((12, 12), batch=(3,))
    sharp = properties.random_images(operator.domain_shape, batch=(3,))
    share = torch.full((3,), 0.5, dtype=torch.float64)
    operator.preconditioned_adjoint(image, share)
    calls = []
    for name in ("rfftn", "irfftn", "rfft2", "irfft2", "fft2", "ifft2"):
        transform = getattr(torch.fft, name)

        def counted(*arguments, transform=transform, **options):
            calls.append(transform)
            return transform(*arguments, **options)

        monkeypatch.setattr(torch.fft, name, counted)
    for apply in (
        lambda: operator.forward(sharp),
        lambda: operator.adjoint(image),
        lambda: operator.preconditioned_adjoint(image, share),
    ):
        calls.clear()
        apply()
        assert len(calls) == n + 1


def test_gradients_reach_the_weights():
    psfs = random_psfs(2, 3, 3)
    maps = properties.random_images((8, 7), batch=(2,)).requires_grad_()
    sharp = properties.random_images((8, 7), seed=1)
    assert torch.autograd.gradcheck(lambda w: ProductConvolution(psfs, w).forward(sharp), maps)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_precision_is_that_of_what_goes_in(dtype):
    operator = random_operator((5, 5), (9, 8), batch=(2,))
    operator = ProductConvolution(operator.eigen_psfs.to(dtype), operator.weight_maps.to(dtype))
    image = properties.random_images((9, 8), batch=(2,)).to(dtype)
    sharp = properties.random_images(operator.domain_shape, batch=(2,)).to(dtype)
    share = torch.full((2,), 0.5, dtype=dtype)
    results = [
        operator.forward(sharp),
        operator.adjoint(image),
        operator.preconditioned_adjoint(image, share),
        operator.psf((3, 3)),
    ]
    assert [result.dtype for result in results] == [dtype] * 4


def test_preconditioned_steps_explain_more_than_as_many_plain_ones():
    """A few steps explain an image better than as many of gradient descent do."""
    operator = smooth_operator((16, 16), window=9)
    truth = properties.random_images(operator.domain_shape, batch=(1,)).abs()
    image = operator.forward(truth)
    share = torch.full((1,), 0.99, dtype=torch.float64)
    misfits = []
    for direction in (
        operator.preconditioned_adjoint,
        lambda r, s: LinearOperator.preconditioned_adjoint(operator, r, s),
    ):
        estimate = operator.adjoint(image)
        for _ in range(10):
            estimate = estimate - direction(operator.forward(estimate) - image, share)
        misfits.append(float((operator.forward(estimate) - image).square().sum()))
    assert misfits[0] < 0.5 * misfits[1]


@pytest.mark.parametrize(
    ("psf_shape", "map_shape", "fragment"),
    [
        ((2, 5, 5), (3, 12, 12), "2 eigen-PSFs of 5 × 5.*got 3 of 12 × 12"),
        ((3, 5, 7), (3, 12, 6), "3 eigen-PSFs of 5 × 7.*got 3 of 12 × 6"),
        ((3, 5, 7), (3, 4, 12), "got 3 of 4 × 12"),
        ((2, 4, 5), (2, 12, 12), "odd, got 4 × 5"),
    ],
)
def test_what_does_not_fit_is_refused(psf_shape, map_shape, fragment):
    with pytest.raises(ValueError, match=fragment):
        ProductConvolution(torch.ones(psf_shape), torch.ones(map_shape))


def test_images_of_another_shape_are_refused():
    operator = random_operator((5, 5), (16, 16))
    with pytest.raises(ValueError, match=r"\(20, 20\).*got \(16, 16\)"):
        operator.forward(torch.zeros(16, 16))
    for apply in (
        operator.adjoint,
        lambda image: operator.preconditioned_adjoint(image, torch.zeros(3)),
    ):
        with pytest.raises(ValueError, match=r"\(16, 16\).*got \(3, 20, 20\)"):
            apply(torch.zeros(3, 20, 20))
