"""Unrolled half-quadratic splitting beside its closed form, and its schedule."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from napari_deepblur.networks.half_quadratic import HalfQuadraticNetwork
from napari_deepblur.operators import Convolution

SMALL = {"n_channels": 4, "n_scales": 2}


class NoDenoiser(nn.Module):
    """Remembers the noise it was told."""

    def __init__(self):
        super().__init__()
        self.told = []

    def forward(self, image, deviation):
        self.told.append(deviation)
        return image


def random_psf(*shape, seed=0):
    psf = torch.rand(*shape, generator=torch.Generator().manual_seed(seed))
    return psf / psf.sum((-2, -1), keepdim=True)


def random_image(*shape, seed=7):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def without_denoiser(**arguments):
    network = HalfQuadraticNetwork(**SMALL, **arguments)
    network.denoiser = NoDenoiser()
    return network


def trained_like(**arguments):
    torch.manual_seed(0)
    network = HalfQuadraticNetwork(**SMALL, **arguments)
    with torch.no_grad():
        network.denoiser.last.weight.normal_(std=0.3)
    return network


def test_the_data_step_minimises_the_half_quadratic_sum():
    """The minimum of ‖H x − ỹ‖² + (1 − s)/s ‖x − x₀‖², ỹ being H x₀ where nothing was seen."""
    operator = Convolution(random_psf(5, 5), (11, 11))  # a torus of 15 × 15 pixels
    image, level = random_image(1, 11, 11), torch.tensor([0.02])
    network = without_denoiser(n_iterations=1)
    (found,) = network.iterate(image, operator, level)
    (share,) = network.schedule(level)[1][0].tolist()

    circular = circular_matrix(operator)
    start = operator.extend(image).numpy().ravel()
    data = (circular @ start).reshape(15, 15)
    data[2:-2, 2:-2] = image[0].numpy()
    weight = (1 - share) / share * float(operator.norm()) ** 2
    left = circular.T @ circular + weight * np.eye(15 * 15)
    expected = np.linalg.solve(left, circular.T @ data.ravel() + weight * start)
    np.testing.assert_allclose(found.detach().numpy().ravel(), expected, rtol=1e-4, atol=1e-5)


def circular_matrix(operator):
    """Convolution on the torus, without the crop, as a dense matrix."""
    side = operator.domain_shape[0]
    assert operator.transfer.shape[-2] == side
    basis = torch.eye(side * side).reshape(-1, side, side)
    columns = torch.fft.irfft2(torch.fft.rfft2(basis) * operator.transfer, s=(side, side))
    return columns.reshape(side * side, -1).numpy().T.astype(float)


def test_momentum_leads_on_from_the_last_change():
    operator, image = Convolution(random_psf(5, 5), (16, 16)), random_image(1, 16, 16)
    level = torch.tensor([0.02])
    network = without_denoiser(n_iterations=3)
    with torch.no_grad():
        network.momenta.fill_(0)
        first, second, third = network.iterate(image, operator, level)
        network.momenta[1] = 0.05  # stored in tens: 0.5
        *_, faster = network.iterate(image, operator, level)
    assert float((faster - third).abs().max()) > 1e-4
    assert float(((faster - third) * (second - first)).sum()) > 0
    before, after = (float((operator.forward(x) - image).square().sum()) for x in (third, faster))
    assert after < before


def test_the_denoiser_is_told_less_noise_each_time_and_at_last_the_image_s_own():
    operator, image = Convolution(random_psf(3, 3), (12, 10)), random_image(1, 12, 10)
    deviation = 0.01 + 0.03 * random_image(1, 12, 10, seed=3)
    network = without_denoiser(n_iterations=4)
    for _ in network.iterate(image, operator, deviation):
        pass
    told = network.denoiser.told
    assert len(told) == 4
    assert all(bool((after < before).all()) for before, after in pairwise(told))
    torch.testing.assert_close(told[-1], operator.extend(deviation))


def test_more_noise_less_weight_of_the_data():
    network = HalfQuadraticNetwork(**SMALL, n_iterations=5)
    factors, shares = (
        part.detach() for part in network.schedule(torch.tensor([0, 2e-3, 0.02, 0.1]))
    )
    assert factors.shape == shares.shape == (5, 4)
    torch.testing.assert_close(factors[:, 0], factors[:, 1])
    assert bool((factors.diff(dim=1)[:-1, 1:] < 0).all())
    assert bool((shares.diff(dim=1)[:-1, 1:] < 0).all())
    assert bool(((shares > 0) & (shares < 1)).all())


def test_one_level_is_a_map_that_is_the_same_everywhere():
    operator, image = Convolution(random_psf(2, 5, 5), (18, 14)), random_image(2, 18, 14)
    level = torch.tensor([0.02, 0.1])
    network = trained_like(n_iterations=3)
    level_map = level[:, None, None].expand_as(image)
    torch.testing.assert_close(network(image, operator, level), network(image, operator, level_map))


def test_a_batch_of_blurs_equals_each_alone():
    psf, image = random_psf(3, 5, 5), random_image(3, 14, 12)
    level = torch.tensor([0.0, 0.1, 0.2])
    network = trained_like(n_iterations=3)
    together = network(image, Convolution(psf, (14, 12)), level)
    for index in range(3):
        operator = Convolution(psf[index, None], (14, 12))
        alone = network(image[index, None], operator, level[index, None])
        torch.testing.assert_close(alone[0], together[index], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("n_iterations", [1, 6])
def test_yields_an_estimate_of_the_domain_after_each_iteration(n_iterations):
    operator = Convolution(random_psf(7, 5), (20, 17))
    network = HalfQuadraticNetwork(**SMALL, n_iterations=n_iterations)
    estimates = list(network.iterate(random_image(2, 20, 17), operator, torch.full((2,), 0.02)))
    assert len(estimates) == network.n_iterations == n_iterations
    assert {tuple(estimate.shape) for estimate in estimates} == {(2, 26, 21)}


def test_every_parameter_is_trained():
    network = trained_like(n_iterations=3)
    operator = Convolution(random_psf(3, 3), (16, 16))
    deviation = 0.1 * random_image(1, 16, 16, seed=3)
    network(random_image(1, 16, 16), operator, deviation).square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert math.isfinite(float(parameter.grad.abs().sum())), name
        assert float(parameter.grad.abs().max()) > 0, name
