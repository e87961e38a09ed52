"""The marginal likelihood finds the blur of spectra that its own model made."""

from dataclasses import replace

import pytest
import torch

from napari_deepblur.likelihood.spectra import WINDOW, Leakage, RegionSpectra
from napari_deepblur.likelihood.spectral_prior import SpectralPrior
from napari_deepblur.likelihood.whittle import BlurPrior, SpectralLikelihood, _Search

GRID = 2 * WINDOW
Y, X = torch.fft.fftfreq(GRID)[:, None], torch.fft.rfftfreq(GRID)[None]
RADIUS = torch.hypot(Y, X)
#: What two coefficients do to the logarithm of the transfer power.
SHAPES = torch.stack([-40 * X.square() * torch.ones_like(Y), -40 * Y.square() * torch.ones_like(X)])
BLUR = BlurPrior(
    mean=torch.tensor([0.5, 0.5]),
    std=torch.tensor([0.5, 0.5]),
    low=torch.zeros(2),
    high=torch.full((2,), 3.0),
)


def transfer_power(gamma):
    power = torch.tensordot(gamma, SHAPES, 1).exp()
    return power, power * SHAPES


@pytest.fixture(scope="module")
def prior():
    slope = -2 * (RADIUS + 0.02).log()
    bump = torch.exp(-((RADIUS - 0.2) ** 2) / 0.01)
    return SpectralPrior(slope, torch.stack([bump, RADIUS]), torch.full_like(RADIUS, 0.01))


N_WINDOWS = 40.0


def spectra(prior, gamma, *, n_regions=1, noise=1e-3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    components = torch.randn(n_regions, 2, generator=generator)
    sharp = (prior.mean + torch.tensordot(components, prior.components, 1)).exp()
    power = Leakage()(sharp * transfer_power(gamma)[0]) + noise
    scatter = torch.distributions.Gamma(N_WINDOWS, N_WINDOWS)
    torch.manual_seed(seed)
    power = power * scatter.sample(power.shape)
    ones = torch.ones(n_regions)
    return RegionSpectra(power, noise * ones, N_WINDOWS * ones)


TRUE = torch.tensor([0.3, 1.2])


def test_the_coefficients_are_found(prior):
    found = SpectralLikelihood(spectra(prior, TRUE), prior, transfer_power).refine(BLUR)
    torch.testing.assert_close(found.coefficients, TRUE, rtol=0, atol=0.1)
    assert found.misfit < 1.5


def test_regions_that_share_a_blur_tell_it_more_surely(prior):
    one, many = (
        SpectralLikelihood(spectra(prior, TRUE, n_regions=n), prior, transfer_power).refine(BLUR)
        for n in (1, 9)
    )
    assert bool((many.std < 0.5 * one.std).all())
    torch.testing.assert_close(many.coefficients, TRUE, rtol=0, atol=0.05)


def test_standard_errors_hold(prior):
    # Every bin counts in full here: their scatter is independent.
    errors, stds = [], []
    for seed in range(20):
        likelihood = SpectralLikelihood(
            spectra(prior, TRUE, seed=seed), prior, transfer_power, temper=1.0
        )
        found = likelihood.refine(BLUR)
        errors.append(found.coefficients - TRUE)
        stds.append(found.std)
    ratio = torch.stack(errors) / torch.stack(stds)
    assert 0.5 < float(ratio.square().mean().sqrt()) < 1.6


def test_noise_alone_leaves_the_prior(prior):
    drowned = spectra(prior, TRUE, noise=1e6)
    found = SpectralLikelihood(drowned, prior, transfer_power).refine(BLUR)
    torch.testing.assert_close(found.coefficients, BLUR.mean, rtol=0, atol=0.02)
    torch.testing.assert_close(found.std, BLUR.std, rtol=0.02, atol=0)


def test_the_answer_stays_within_its_bounds(prior):
    found = SpectralLikelihood(
        spectra(prior, torch.tensor([0.0, 4.0])), prior, transfer_power
    ).refine(BLUR)
    assert bool((found.coefficients >= BLUR.low).all())
    assert bool((found.coefficients <= BLUR.high).all())
    assert float(found.coefficients[1]) == pytest.approx(3.0, abs=0.2)


def test_slopes_are_the_limits_of_differences(prior):
    likelihood = SpectralLikelihood(spectra(prior, TRUE, n_regions=2), prior, transfer_power)
    search = _Search(likelihood, BLUR)
    state = search.start.state
    normal = search.normal_equations(search.start)
    step = 1e-3
    for index in range(2):
        costs = []
        for sign in (-1, 1):
            gamma = state.gamma.clone()
            gamma[index] += sign * step
            costs.append(search.cost(likelihood.predict(replace(state, gamma=gamma))))
        by_difference = (costs[1] - costs[0]) / (2 * step)
        assert by_difference == pytest.approx(-2 * float(normal.pull_shared[index]), rel=0.02)
