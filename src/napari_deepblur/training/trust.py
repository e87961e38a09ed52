"""Standard errors: the network learns the errors of its own estimates."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor, nn

from napari_deepblur.engine.events import Job, Progress
from napari_deepblur.networks.head import StationaryHead
from napari_deepblur.operators import EigenPsfSpace, ZernikeFamily
from napari_deepblur.training.descriptions import Descriptions

__all__ = ["coefficient_error", "learn_errors_job"]

_AT_A_TIME = 32
_N_STEPS = 500
_BATCH = 256
_LEARNING_RATE = 3e-4
# Strong, since examples are few: a fit costs as much as a description.
_WEIGHT_DECAY = 1.0

#: Share of true coefficients within two standard errors.
_COVERAGE = 0.95


def coefficient_error(family: ZernikeFamily, estimate: Tensor, truth: Tensor) -> Tensor:
    """Estimate minus truth or its twin, whichever is nearer: both have one PSF; (N, P)."""
    error = estimate - truth
    to_twin = estimate - family.admissible_set.twin(truth)
    nearer = error.square().sum(-1) <= to_twin.square().sum(-1)
    return torch.where(nearer[:, None], error, to_twin)


def learn_errors_job(
    head: StationaryHead,
    space: EigenPsfSpace,
    descriptions: Descriptions,
    *,
    n_examples: int,
    seed: int = 0,
) -> Job[float]:
    """Teach the head how large the errors of the fitted coefficients are.

    The coefficients that users see come from a fit, through which no gradient leads; so
    examples of its errors are made first, and their size is learned by Gaussian likelihood.

    Parameters
    ----------
    head
        Trained, in eval mode; only its `log_std` changes.
    space
        In which it answers.
    descriptions
        That the head has not learned from.
    n_examples
        Estimates to learn from; a fifth of them more serves calibration.
    seed
        One seed gives one result on the CPU.

    Returns
    -------
        Factor by which the learned errors had to be scaled: 1 were they normally distributed.

    Yields
    ------
    Progress
        After each batch of fits.

    Raises
    ------
    ValueError
        If no blur of the descriptions is one of the family.
    """
    if bool(descriptions.foreign.all()):
        raise ValueError("no blur of the family is left to learn errors from: give more n_blurs")
    generator = Generator(descriptions.description.device).manual_seed(seed)
    family = space.family
    hidden: list[Tensor] = []
    errors: list[Tensor] = []
    total = n_examples + n_examples // 5
    while sum(len(part) for part in errors) < total:
        picks, described = descriptions.draw(_AT_A_TIME, generator)
        own = ~descriptions.foreign[picks]
        picks, described = picks[own], described[own].mean(1)
        with torch.no_grad():
            hidden.append(head.hidden(described))
            fitted = space.fit(head(described).coordinates)
        errors.append(coefficient_error(family, fitted, descriptions.coefficients[picks]))
        yield Progress(
            min(total, sum(len(part) for part in errors)), total, "fitting examples of errors"
        )
    inputs, targets = torch.cat(hidden), torch.cat(errors)
    layers = head.log_std.train()
    optimizer = torch.optim.AdamW(layers.parameters(), weight_decay=_WEIGHT_DECAY)
    for step in range(_N_STEPS):
        for group in optimizer.param_groups:
            group["lr"] = _LEARNING_RATE * (1 - step / _N_STEPS)
        rows = torch.randint(n_examples, (_BATCH,), generator=generator, device=generator.device)
        log_std = layers(inputs[rows])
        loss = (log_std + 0.5 * (targets[rows] * torch.exp(-log_std)).square()).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    layers.eval()
    return _calibrate(layers, inputs[n_examples:], targets[n_examples:])


@torch.no_grad()
def _calibrate(layers: nn.Sequential, inputs: Tensor, errors: Tensor) -> float:
    """Scale the errors so that twice them covers 95 % of cases unseen; return the factor.

    Errors have longer tails than a normal distribution, so this is not its factor of 1.
    """
    relative = errors.abs() / (2 * layers(inputs).exp())
    factor = float(relative.flatten().quantile(_COVERAGE))
    last = layers[-1]
    assert isinstance(last, nn.Linear)
    last.bias.add_(math.log(factor))
    return factor
