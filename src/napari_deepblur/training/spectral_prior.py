"""Learning the prior of sharp images' power spectra, by which estimates are refined."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Generator, Tensor

from napari_deepblur.engine.estimate import estimate_blur
from napari_deepblur.engine.events import Job, Progress
from napari_deepblur.engine.model_files import write_spectral_prior
from napari_deepblur.engine.models import Model, load_model
from napari_deepblur.likelihood.spectra import WINDOW, welch
from napari_deepblur.likelihood.spectral_prior import SpectralPrior
from napari_deepblur.operators import ZernikeFamily
from napari_deepblur.optics.settings import CANONICAL_CUTOFF, Optics
from napari_deepblur.training.config import SpectralPriorConfig
from napari_deepblur.training.data.sources import Mixture, Source
from napari_deepblur.training.data.synthesis import add_noise, draw_noise_levels
from napari_deepblur.training.loop import build_sources
from napari_deepblur.training.trust import coefficient_error

__all__ = ["learn_spectral_prior_job", "train_spectral_prior_job"]

#: Share of true coefficients that lie within twice their standard error.
_COVERAGE = 0.95

#: Optics whose cutoff is the canonical one.
_OPTICS = Optics(
    numerical_aperture=1.3,
    wavelength_um=0.52,
    pixel_size_um=CANONICAL_CUTOFF * 0.52 / 1.3,
    refractive_index=1.518,
)


def train_spectral_prior_job(config: SpectralPriorConfig) -> Job[Path]:
    """Learn the prior, and put it into the model folder that the settings name.

    Then the standard errors of refined estimates are scaled: images are blurred with known
    coefficients, 95 % of which shall lie within twice the standard errors.

    Parameters
    ----------
    config
        Images, their mix, and the number of crops and components.

    Returns
    -------
        The model folder.

    Raises
    ------
    ModelError
        If the folder holds no model with an identification network, or one whose blur varies
        over the field.
    """
    sources = Mixture(build_sources(config, torch.device("cpu")), config.mix)
    prior = yield from learn_spectral_prior_job(config, sources)
    card = {"n_crops": config.n_crops, "temper": config.temper}
    write_spectral_prior(config.output, prior, card)
    factor = yield from _learn_factor_job(load_model(config.output), config, sources)
    write_spectral_prior(config.output, prior, card | {"std_factor": factor})
    return config.output


def learn_spectral_prior_job(config: SpectralPriorConfig, sources: Source) -> Job[SpectralPrior]:
    """Learn the prior from crops of sharp training images.

    The spectra have twice as many bins along each axis as those of observed images, so that
    the leakage between bins can be computed.

    Parameters
    ----------
    config
        Number of crops and components.
    sources
        Source of the crops.
    """
    generator = Generator().manual_seed(config.seed)
    powers: list[Tensor] = []
    for done in range(config.n_crops):
        power = welch(sources.sample(1, config.crop, generator)[0], 2 * WINDOW)
        if bool(power.any()):  # a crop without structure has no spectrum
            powers.append(power)
        yield Progress(done + 1, config.n_crops, "spectra of sharp images")
    return SpectralPrior.of(powers, n_components=config.n_components)


def _learn_factor_job(model: Model, config: SpectralPriorConfig, sources: Source) -> Job[float]:
    """Measure by how much the standard errors must grow."""
    family = model.family
    assert isinstance(family, ZernikeFamily)
    generator = Generator().manual_seed(config.seed + 1)
    n = config.n_error_examples
    gammas = family.admissible_set.sample(n, generator=generator)
    levels = draw_noise_levels(n, config.highest_noise, generator)
    ratios = []
    for index in range(n):
        operator = family.operator(gammas[index : index + 1], (config.crop, config.crop))
        sharp = sources.sample(1, operator.domain_shape[0], generator)
        image = add_noise(operator(sharp), levels[index : index + 1], generator)[0]
        blur = estimate_blur(image.numpy(), optics=_OPTICS, model=model, axes="YX")
        estimate, std = torch.from_numpy(blur.coefficients), torch.from_numpy(blur.std)
        error = coefficient_error(family, estimate, gammas[index : index + 1])
        ratios.append(error.abs() / (2 * std))
        yield Progress(index + 1, n, "scaling the standard errors")
    return float(torch.cat(ratios).flatten().quantile(_COVERAGE))
