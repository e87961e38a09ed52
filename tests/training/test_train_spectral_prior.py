"""The prior of power spectra is learned from crops of sharp images."""

import shutil

import pytest
import torch
from pydantic import ValidationError

from helpers.jobs import assert_reports_and_can_be_left
from napari_deepblur.engine.events import finish
from napari_deepblur.engine.models import load_model
from napari_deepblur.errors import ModelError
from napari_deepblur.likelihood.spectra import WINDOW
from napari_deepblur.training.config import SceneSource, SpectralPriorConfig
from napari_deepblur.training.data.sources import Mixture
from napari_deepblur.training.loop import build_sources
from napari_deepblur.training.spectral_prior import (
    learn_spectral_prior_job,
    train_spectral_prior_job,
)


def config(tmp_path, **changes):
    settings = {
        "output": tmp_path,
        "sources": {"leaves": SceneSource(scene="dead_leaves"), "flat": SceneSource(scene="flat")},
        "mix": {"leaves": 1},
        "n_crops": 12,
        "crop": 256,
        "n_components": 4,
    }
    return SpectralPriorConfig(**(settings | changes))


def learn(settings):
    sources = Mixture(build_sources(settings, torch.device("cpu")), settings.mix)
    return learn_spectral_prior_job(settings, sources)


def test_sharp_images_have_most_power_at_low_frequencies(tmp_path):
    prior = finish(learn(config(tmp_path)))
    assert prior.grid == 2 * WINDOW
    assert prior.components.shape == (4, 2 * WINDOW, WINDOW + 1)
    low, high = prior.mean[2:10, 2:10].mean(), prior.mean[50:60, 50:60].mean()
    assert float(low - high) > 3
    spread = prior.components.square().sum(0) + prior.remainder
    assert 0.1 < float(spread.mean().sqrt()) < 3


def test_one_seed_gives_one_prior(tmp_path):
    one, again, other = (
        finish(learn(config(tmp_path, n_crops=6, seed=seed))) for seed in (1, 1, 2)
    )
    assert torch.equal(one.mean, again.mean)
    assert not torch.equal(one.mean, other.mean)


def test_reports_each_crop_and_can_be_left(tmp_path):
    assert_reports_and_can_be_left(lambda: learn(config(tmp_path, n_crops=5)))


def test_more_components_than_crops_are_refused(tmp_path):
    with pytest.raises(ValidationError, match="12 components need more crops than that, got 12"):
        config(tmp_path, n_components=12)


def test_a_model_gets_its_prior_and_the_factor_of_its_standard_errors(tiny_model, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    settings = config(folder, n_error_examples=2, mix={"leaves": 1, "flat": 1})
    assert finish(train_spectral_prior_job(settings)) == folder
    model = load_model(folder)
    assert model.spectral_prior.grid == 2 * WINDOW
    card = model.card.spectral_prior
    assert card.n_crops == 12
    assert card.temper == 0.2
    assert card.std_factor not in (0, 1)


def test_a_model_whose_blur_varies_gets_none(tiny_varying_model, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(tiny_varying_model, folder)
    with pytest.raises(ModelError, match="varies over the field"):
        finish(train_spectral_prior_job(config(folder)))
