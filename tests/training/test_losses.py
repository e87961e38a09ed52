"""The two losses: what they are of, and that both are blind to the twin."""

import pytest
import torch

from napari_deepblur.operators import EigenPsfSpace, ZernikeFamily
from napari_deepblur.training.losses import LOSSES, CoefficientLoss, PsfLoss

FAMILY = ZernikeFamily()
FLOOR = 0.01


@pytest.fixture(scope="module")
def space():
    return EigenPsfSpace.of(FAMILY, n_eigen_psfs=64, n_samples=1500)


def answers(space, gamma):
    return space.encode(FAMILY.psf(gamma))


@pytest.mark.parametrize("kind", LOSSES.values())
def test_the_truth_and_its_twin_cost_nothing(kind, space):
    gamma = FAMILY.admissible_set.sample(6, seed=0)
    loss = kind(space, FLOOR)
    truth = loss.prepare(gamma)
    nothing = torch.full((6,), FLOOR).log()
    for right in (gamma, FAMILY.admissible_set.twin(gamma)):
        torch.testing.assert_close(loss(answers(space, right), truth), nothing, rtol=0, atol=1e-3)


def test_the_psf_loss_is_the_relative_error(space):
    gamma = FAMILY.admissible_set.sample(5, seed=0)
    other = FAMILY.admissible_set.sample(5, seed=1)
    loss = PsfLoss(space, FLOOR)
    error = loss.error(answers(space, other), loss.prepare(gamma))
    psf = FAMILY.psf(gamma)
    direct = (space.decode(answers(space, other)) - space.decode(answers(space, gamma))).square()
    expected = direct.sum((-2, -1)) / psf.square().sum((-2, -1))
    torch.testing.assert_close(error, expected, rtol=1e-3, atol=1e-5)


def test_the_coefficient_loss_is_that_of_the_fit(space):
    gamma = FAMILY.admissible_set.sample(8, seed=0)
    gamma[:, 0] = 0.1  # far from the twin, where the PSF depends on all coefficients
    step = 0.004 * torch.randn(8, 7, generator=torch.Generator().manual_seed(0))
    loss = CoefficientLoss(space, FLOOR)
    error = loss.error(answers(space, gamma + step), loss.prepare(gamma))
    expected = (step / 0.15).square().mean(-1)
    assert float((error / expected).log().abs().mean()) < 0.35
    assert torch.corrcoef(torch.stack([error, expected]))[0, 1] > 0.9


def test_it_stays_defined_without_aberrations(space):
    gamma = torch.zeros(2, 7)
    loss = CoefficientLoss(space, FLOOR)
    assert bool(loss(answers(space, gamma + 0.05), loss.prepare(gamma)).isfinite().all())


@pytest.mark.parametrize("kind", LOSSES.values())
def test_its_gradient_leads_to_the_truth(kind, space):
    gamma = FAMILY.admissible_set.sample(3, seed=2)
    loss = kind(space, FLOOR)
    truth = loss.prepare(gamma)
    answer = torch.zeros(3, 64, requires_grad=True)
    optimizer = torch.optim.Adam([answer], lr=0.03)
    first = float(loss(answer.detach(), truth).mean())
    for _ in range(150):
        optimizer.zero_grad()
        loss(answer, truth).mean().backward()
        optimizer.step()
    assert float(loss(answer.detach(), truth).mean()) < min(first - 1, -3)
