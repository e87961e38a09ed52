"""Estimates are refined by the power spectrum where the model has a prior of it."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from helpers.jobs import assert_reports_and_can_be_left
from napari_deepblur import Optics, estimate_blur
from napari_deepblur.engine.estimate import estimate_blur_job
from napari_deepblur.engine.events import Progress, finish
from napari_deepblur.engine.metrics import psf_snr
from napari_deepblur.engine.models import load_model
from napari_deepblur.engine.refinement import refine_job, spectra_of
from napari_deepblur.errors import ModelError
from napari_deepblur.likelihood.spectra import RegionSpectra
from napari_deepblur.operators import WidefieldFamily, ZernikeFamily
from napari_deepblur.training.data.scenes import SCENES
from napari_deepblur.training.data.synthesis import add_noise

OPTICS = Optics(
    numerical_aperture=1.3, wavelength_um=0.52, pixel_size_um=0.1, refractive_index=1.518
)
AT = Progress(1, 1, "refining")


@pytest.fixture(scope="module")
def model():
    return load_model("widefield-zernike")


@pytest.fixture(scope="module")
def blurred():
    """Noisy images of dead leaves, shape (3, 256, 256), with the coefficients of their one blur."""
    family = ZernikeFamily()
    gamma = family.admissible_set.sample(1, seed=5)
    operator = family.operator(gamma, (256, 256))
    scenes = SCENES["dead_leaves"](3, operator.domain_shape[0], torch.Generator().manual_seed(0))
    clean = operator(scenes)
    return add_noise(clean, torch.full((3,), 0.002), torch.Generator().manual_seed(1)), gamma


def snr(family, estimate, truth):
    with torch.no_grad():
        return float(psf_snr(family.psf(estimate), family.psf(truth))[0])


def network_alone(model, images, **given):
    bare = replace(model, card=model.card.model_copy(update={"spectral_prior": None}))
    return estimate_blur(images, optics=OPTICS, model=bare, **given)


def test_an_estimate_of_little_noise_comes_much_nearer(model, blurred):
    images, gamma = blurred
    gains = []
    for image in images:
        refined = estimate_blur(image.numpy(), optics=OPTICS, model=model)
        alone = network_alone(model, image.numpy())
        after, before = (
            snr(model.family, torch.from_numpy(blur.coefficients), gamma)
            for blur in (refined, alone)
        )
        gains.append(after - before)
        assert refined.std.mean() < alone.std.mean()
    assert np.mean(gains) > 4


def test_planes_that_share_a_blur_tell_it_better(model, blurred):
    images, gamma = blurred
    stack = estimate_blur(images.numpy(), optics=OPTICS, model=model, axes="ZYX", per="stack")
    one = estimate_blur(images[0].numpy(), optics=OPTICS, model=model)
    assert snr(model.family, torch.from_numpy(stack.coefficients), gamma) > 20
    assert stack.std.mean() < one.std.mean()


def test_the_refined_blur_lies_in_the_admissible_set(model, blurred):
    images, _ = blurred
    blur = estimate_blur(images.numpy(), optics=OPTICS, model=model, axes="ZYX")
    inside = model.family.admissible_set.contains(torch.from_numpy(blur.coefficients))
    assert bool(inside.all())


def test_noise_alone_keeps_the_networks_answer(model):
    noise = np.random.default_rng(0).normal(100, 5, (160, 160)).astype(np.float32)
    refined = estimate_blur(noise, optics=OPTICS, model=model)
    alone = network_alone(model, noise)
    np.testing.assert_allclose(refined.coefficients, alone.coefficients, atol=0.03)


def test_spectra_that_are_not_explained_keep_the_networks_answer(model):
    spectra = spectra_of(np.random.default_rng(0).random((256, 256)).astype(np.float32), 0.5)
    rng = torch.Generator().manual_seed(0)
    wild = torch.exp(6 * torch.randn(spectra.power.shape, generator=rng))
    strange = RegionSpectra(wild, wild.mean((1, 2)) * 1e-6, spectra.n_windows)
    gamma, std = torch.full((1, 7), 0.05), torch.full((1, 7), 0.03)
    same, errors = finish(refine_job(model, gamma, std, [strange], band=0.5, at=AT))
    assert torch.equal(same, gamma)
    assert torch.equal(errors, std)


def test_the_job_can_be_left_between_planes(model, blurred):
    images, _ = blurred
    assert_reports_and_can_be_left(
        lambda: estimate_blur_job(images[:2].numpy(), optics=OPTICS, model=model, axes="ZYX")
    )


def test_coefficients_that_no_network_reads_begin_with_their_prior():
    family = WidefieldFamily()
    read, std = torch.full((2, 7), 0.1), torch.full((2, 7), 0.02)
    coefficients, errors = family.completed(read, std)
    assert coefficients.shape == errors.shape == (2, 9)
    assert torch.equal(coefficients[:, :7], read)
    assert coefficients[0, 7] == 0
    assert 0 < float(coefficients[0, 8]) < 1
    assert float(errors[0, 7]) == pytest.approx(0.15 / 3**0.5)


def test_a_prior_that_is_not_the_one_described_is_refused(model, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(model.folder, folder)
    (folder / "spectral_prior.safetensors").write_bytes(b"other")
    with pytest.raises(ModelError, match=r"spectral_prior\.safetensors"):
        estimate_blur(np.random.default_rng(0).random((128, 128)), optics=OPTICS, model=folder)
    (folder / "spectral_prior.safetensors").unlink()
    with pytest.raises(ModelError, match="missing"):
        load_model(folder).spectral_prior  # noqa: B018
