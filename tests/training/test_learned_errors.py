"""Standard errors: learned from errors, calibrated, and true of unseen cases."""

import pytest
import torch

from napari_deepblur.engine.events import finish
from napari_deepblur.networks.head import StationaryHead
from napari_deepblur.operators import EigenPsfSpace, ZernikeFamily
from napari_deepblur.training.descriptions import Descriptions
from napari_deepblur.training.trust import coefficient_error, learn_errors_job

FAMILY = ZernikeFamily()


def test_errors_are_modulo_the_twin():
    truth = FAMILY.admissible_set.sample(20, seed=0)
    step = 0.01 * torch.ones(7)
    error = coefficient_error(FAMILY, truth + step, truth)
    torch.testing.assert_close(error, step.expand(20, -1), rtol=0, atol=1e-6)
    twin = FAMILY.admissible_set.twin(truth)
    torch.testing.assert_close(
        coefficient_error(FAMILY, twin + step, truth), step.expand(20, -1), rtol=0, atol=1e-6
    )


class Believer:
    """A space whose fit hands back the first coordinates as coefficients."""

    family = FAMILY

    def fit(self, coordinates):
        return coordinates[:, :7]


def test_errors_are_learned_and_calibrated():
    """Descriptions say how loud the noise on the answer is; errors have long tails."""
    generator = torch.Generator().manual_seed(0)
    n_bins, n = 6, 3000
    torch.manual_seed(0)
    head = StationaryHead(16, n_bins, n_coefficients=7, width=512)
    truth = FAMILY.admissible_set.sample(n, generator=generator)
    truth[:, 0] = 0.15  # far from the twin
    level = 0.005 + 0.03 * (torch.rand(n, 1, generator=generator) > 0.5)
    tails = torch.distributions.StudentT(4.0).sample((n, 7)) / 2**0.5
    description = torch.zeros(n, 512 + 2 + n_bins)
    description[:, :7] = truth + level * tails
    description[:, 7] = 100 * level[:, 0]
    description[:, 512:] = 1
    with torch.no_grad():
        head.glance.weight.zero_()
        head.glance.weight[:7, :7] = torch.eye(7)
        head.glance.bias.zero_()
        head.learn_typical(description)
        head(description)  # running statistics
        head.standard.running_mean.copy_(head.normalise(description).mean(0))
        head.standard.running_var.copy_(head.normalise(description).var(0) + 1e-3)
    head.eval()
    descriptions = Descriptions(description[:, None, None], truth, torch.zeros(n, dtype=torch.bool))
    factor = finish(learn_errors_job(head, Believer(), descriptions, n_examples=2000))
    assert 0.5 < factor < 3
    std = head(description).log_std.exp().detach()
    loud = level[:, 0] > 0.01
    assert float(std[loud].mean() / std[~loud].mean()) > 3
    error = description[:, :7] - truth
    covered = (error.abs() <= 2 * std).float()
    assert float(covered.mean()) == pytest.approx(0.95, abs=0.02)
    for group in (loud, ~loud):
        assert 0.9 < float(covered[group].mean()) < 0.98


def test_only_the_errors_layers_learn():
    torch.manual_seed(0)
    head = StationaryHead(16, 6, n_coefficients=7, width=16).eval()
    before = {name: value.clone() for name, value in head.state_dict().items()}
    descriptions = Descriptions(
        torch.rand(40, 1, 1, 520), torch.zeros(40, 7), torch.zeros(40, dtype=torch.bool)
    )
    finish(learn_errors_job(head, Believer(), descriptions, n_examples=50))
    changed = {
        name.split(".")[0]
        for name, value in head.state_dict().items()
        if not torch.equal(value, before[name])
    }
    assert changed == {"log_std"}


def test_foreign_blurs_are_no_examples():
    torch.manual_seed(0)
    head = StationaryHead(16, 6, n_coefficients=7, width=16).eval()
    foreign = torch.arange(40) % 2 == 0
    coefficients = torch.where(foreign[:, None], 1e6, 0.01 * torch.ones(40, 7))
    descriptions = Descriptions(torch.rand(40, 1, 1, 520), coefficients, foreign)
    finish(learn_errors_job(head, Believer(), descriptions, n_examples=50))
    prediction = head(descriptions.description[~foreign][:, 0, 0])
    assert float(prediction.log_std.detach().exp().max()) < 1e3


def test_nothing_but_foreign_blurs_is_refused():
    head = StationaryHead(16, 6, n_coefficients=7, width=16).eval()
    foreign = torch.ones(4, dtype=torch.bool)
    descriptions = Descriptions(torch.rand(4, 1, 1, 520), torch.zeros(4, 7), foreign)
    with pytest.raises(ValueError, match="more n_blurs"):
        finish(learn_errors_job(head, Believer(), descriptions, n_examples=5))


def test_the_real_space_fits():
    space = EigenPsfSpace.of(FAMILY, n_eigen_psfs=8, n_samples=300)
    truth = FAMILY.admissible_set.sample(4, seed=1)
    fitted = space.fit(space.encode(FAMILY.psf(truth)))
    assert float(coefficient_error(FAMILY, fitted, truth).abs().mean()) < 0.05
