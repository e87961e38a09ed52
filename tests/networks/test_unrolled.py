"""Unrolled FISTA beside FISTA written out in numpy."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from helpers.properties import dense_matrix
from napari_deepblur.networks.unrolled import DeblurringNetwork, UnrolledFista
from napari_deepblur.operators import Convolution


class Identity(nn.Module):
    """No prior at all."""

    def forward(self, image, noise_level):
        return image


class SoftThreshold(nn.Module):
    """The proximal operator of 0.05 ‖x‖₁."""

    def forward(self, image, noise_level):
        return image.sign() * (image.abs() - 0.05).clamp_min(0)


def random_psf(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    psf = torch.rand(*shape, generator=generator, dtype=torch.float64)
    return psf / psf.sum((-2, -1), keepdim=True)


def random_image(*shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(7), dtype=torch.float64)


def reference_fista(matrix, image, start, *, step, n_iterations, proximal=lambda x: x):
    """Beck & Teboulle (2009), eq. 4.1 to 4.3, in numpy."""
    x = z = start
    t = 1.0
    for _ in range(n_iterations):
        following = proximal(z - step * matrix.T @ (matrix @ z - image))
        t_following = (1 + np.sqrt(1 + 4 * t**2)) / 2
        z = following + (t - 1) / t_following * (following - x)
        x, t = following, t_following
    return x


@pytest.mark.parametrize("n_iterations", [1, 2, 15])
@pytest.mark.parametrize("proximal", [Identity(), SoftThreshold()], ids=["identity", "threshold"])
def test_equals_reference_fista(n_iterations, proximal):
    operator = Convolution(random_psf(3, 5), (11, 9))
    image = random_image(1, 11, 9)
    network = UnrolledFista([proximal] * n_iterations, initial_step=0.8).double()
    estimate = network(image, operator, torch.zeros(1)).detach()
    expected = reference_fista(
        dense_matrix(operator).numpy(),
        image.flatten().numpy(),
        operator.extend(image).flatten().numpy(),
        step=0.8 / float(operator.norm()) ** 2,
        n_iterations=n_iterations,
        proximal=lambda x: proximal(torch.from_numpy(x), None).numpy(),
    )
    error = np.abs(estimate.flatten().numpy() - expected).max() / np.abs(expected).max()
    assert error < 1e-5
    assert float(estimate.abs().max()) > 0


def test_single_precision_stays_near():
    operator = Convolution(random_psf(5, 5).float(), (16, 16))
    image = random_image(1, 16, 16).float()
    network = UnrolledFista([Identity()] * 15, initial_step=0.95)
    estimate = network(image, operator, torch.zeros(1)).detach()
    matrix = dense_matrix(Convolution(random_psf(5, 5), (16, 16))).numpy()
    expected = reference_fista(
        matrix,
        image.double().flatten().numpy(),
        operator.extend(image).double().flatten().numpy(),
        step=0.95 / float(operator.norm()) ** 2,
        n_iterations=15,
    )
    error = np.abs(estimate.flatten().numpy() - expected).max() / np.abs(expected).max()
    assert error < 1e-5


def test_without_prior_the_residual_falls():
    operator = Convolution(random_psf(5, 5), (20, 20))
    image = operator.forward(random_image(1, 24, 24))
    network = UnrolledFista([Identity()] * 30).double()
    with torch.no_grad():
        residuals = [
            float((operator.forward(estimate) - image).square().sum())
            for estimate in network.iterate(image, operator, torch.zeros(1))
        ]
    assert len(residuals) == 30
    assert residuals[-1] < 0.03 * residuals[0]


def test_a_batch_of_blurs_equals_each_alone():
    psf = random_psf(3, 5, 5)
    image = random_image(3, 14, 12)
    network = UnrolledFista([SoftThreshold()] * 5).double()
    level = torch.tensor([0.0, 0.1, 0.2], dtype=torch.float64)
    together = network(image, Convolution(psf, (14, 12)), level)
    for index in range(3):
        operator = Convolution(psf[index, None], (14, 12))
        alone = network(image[index, None], operator, level[index, None])
        torch.testing.assert_close(alone[0], together[index])


@pytest.mark.parametrize("logit", [-100.0, -0.5, 0.0, 0.5, 1.2])
def test_learned_steps_stay_inside(logit):
    network = UnrolledFista([Identity()] * 4)
    nn.init.constant_(network.step_logits, logit)
    assert bool(((network.steps >= 0) & (network.steps <= 1)).all())
    if abs(logit) < 1:
        assert bool(((network.steps > 0) & (network.steps < 1)).all())


def test_initial_step_is_as_asked():
    steps = UnrolledFista([Identity()] * 4, initial_step=0.7).steps
    torch.testing.assert_close(steps, torch.full((4,), 0.7))


def test_deblurring_network_has_fifteen_iterations_and_starts_as_fista():
    network = DeblurringNetwork()
    assert network.n_iterations == 15
    operator = Convolution(random_psf(7, 7).float(), (33, 40))
    image = random_image(2, 33, 40).float()
    level = torch.full((2,), 0.02)
    with torch.no_grad():
        network.curvature_logits.fill_(-30)
        estimate = network(image, operator, level)
        plain = UnrolledFista([Identity()] * 15)(image, operator, level)
    assert estimate.shape == (2, *operator.domain_shape)
    torch.testing.assert_close(estimate, plain)


def test_curvature_brings_the_estimate_nearer_to_the_data():
    operator = Convolution(random_psf(7, 7).float(), (33, 40))
    image = operator.forward(random_image(1, 39, 46).float())
    level = torch.full((1,), 0.02)
    with torch.no_grad():
        residuals = [
            float((operator.forward(network(image, operator, level)) - image).square().sum())
            for network in (UnrolledFista([Identity()] * 15), DeblurringNetwork())
        ]
    assert residuals[1] < 0.5 * residuals[0]


def test_more_noise_less_curvature():
    network = DeblurringNetwork()
    curvature = network.curvature(torch.tensor([0.0, 0.002, 0.02, 0.2])).detach()
    assert curvature.shape == (15, 4)
    torch.testing.assert_close(curvature[:, 0], curvature[:, 1])
    assert bool((curvature.diff(dim=1)[:, 1:] < 0).all())
    assert bool(((curvature > 0) & (curvature < 1)).all())


def test_every_parameter_is_trained():
    network = DeblurringNetwork(n_iterations=3, n_channels=8, n_layers=2)
    with torch.no_grad():
        for proximal in network.proximal:
            proximal.layers[-1].weight.normal_(std=0.01)
    operator = Convolution(random_psf(3, 3).float(), (16, 16))
    image = random_image(1, 16, 16).float()
    network(image, operator, torch.full((1,), 0.1)).square().mean().backward()
    gradients = {name: value.grad for name, value in network.named_parameters()}
    assert all(gradient is not None for gradient in gradients.values())
    assert all(math.isfinite(float(gradient.abs().sum())) for gradient in gradients.values())
    assert float(gradients["step_logits"].abs().min()) > 0
