"""The bundled model does the main job: it beats the floors that cost nothing to reach."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from helpers.images import CANONICAL_OPTICS, observed_scene, random_gamma
from napari_deepblur import BlurEstimate, deblur, estimate_blur, load_model
from napari_deepblur.engine.metrics import psf_snr, psnr
from napari_deepblur.operators import ZernikeFamily
from napari_deepblur.training.data.scenes import SCENES
from napari_deepblur.training.data.synthesis import add_noise, observe

NOISE_LEVEL = 0.01
SCENE_NAMES = ("points", "filaments", "points", "filaments", "nuclei", "membranes")


@dataclass(frozen=True)
class Case:
    image: np.ndarray
    sharp: np.ndarray
    true_psf: torch.Tensor
    blur: BlurEstimate

    @property
    def psf(self):
        return torch.from_numpy(self.blur.psf())


@pytest.fixture(scope="module")
def cases():
    family = ZernikeFamily()
    rng = np.random.default_rng(0)
    made = []
    for seed, (scene, gamma) in enumerate(zip(SCENE_NAMES, random_gamma(6, seed=11), strict=True)):
        image, sharp = observed_scene(scene, gamma, size=256, seed=seed)
        image = image + NOISE_LEVEL * image.max() * rng.normal(size=image.shape)
        counts = (4000 * image + 100).astype(np.float32)
        blur = estimate_blur(counts, optics=CANONICAL_OPTICS, model="widefield-zernike")
        made.append(Case(counts, 4000 * sharp + 100, family.psf(gamma), blur))
    return made


@pytest.fixture(scope="module")
def snr(cases):
    """PSF-SNR of the estimates and of the two answers that need no image, dB."""
    true = torch.stack([case.true_psf for case in cases])
    family = ZernikeFamily()
    return {
        "estimated": psf_snr(torch.stack([case.psf for case in cases]), true),
        "unaberrated": psf_snr(family.psf(torch.zeros(len(cases), 7)), true),
        "mean PSF": psf_snr(
            load_model("widefield-zernike").identification.space.mean.expand_as(true), true
        ),
    }


def test_it_is_the_model_of_the_paper():
    model = load_model("widefield-zernike")
    assert model.family.pupil.noll_indices == (4, 5, 6, 7, 8, 9, 10)
    assert model.family.limit_waves == pytest.approx(0.15)
    assert model.deblurring.n_iterations == 15
    assert model.card.status == "stable"


def test_its_card_states_training_and_accuracy():
    model = load_model("widefield-zernike")
    for network in (model.card.identification, model.card.deblurring):
        assert network.n_training_crops > 0
        assert network.trained_on
        assert network.accuracy


def test_estimates_are_above_nine_db(snr):
    assert float(snr["estimated"].mean()) >= 9


@pytest.mark.parametrize("floor", ["unaberrated", "mean PSF"])
def test_estimates_beat_the_floor(snr, floor):
    assert float(snr["estimated"].mean()) > float(snr[floor].mean()) + 0.5


def test_answers_follow_the_image(cases):
    """A network that always says the same would have no spread."""
    answers = np.concatenate([case.blur.coefficients for case in cases])
    assert answers.std(0).max() > 0.02


def test_deblurring_with_the_estimated_blur_raises_psnr(cases):
    gains = []
    for case in cases:
        restored = deblur(case.image, case.blur)
        before = psnr(torch.from_numpy(case.image), torch.from_numpy(case.sharp))
        after = psnr(torch.from_numpy(restored), torch.from_numpy(case.sharp))
        gains.append(float(after - before))
    assert np.mean(gains) > 0.5
    assert min(gains) > -0.2


def test_deblurring_with_the_true_blur_raises_psnr_further(cases):
    gamma = random_gamma(6, seed=11).numpy()
    for case, row in zip(cases[:2], gamma[:2, None], strict=True):
        known = BlurEstimate(row, np.zeros_like(row), CANONICAL_OPTICS, case.blur.model)
        restored = torch.from_numpy(deblur(case.image, known))
        sharp = torch.from_numpy(case.sharp)
        assert float(psnr(restored, sharp)) > float(psnr(torch.from_numpy(case.image), sharp)) + 1


@pytest.fixture(scope="module")
def widefield():
    return load_model()


def test_the_default_model_is_for_real_images_and_shares_its_networks(widefield):
    assert widefield.name == "widefield"
    assert widefield.card.identification.weights_of == "widefield-zernike"
    assert widefield.family.coefficient_names[-1].startswith("extra blur")
    base = load_model("widefield-zernike")
    assert widefield.card.deblurring.sha256 == base.card.deblurring.sha256


def test_the_extra_blur_of_an_image_is_found(widefield):
    snr = {"widefield": [], "widefield-zernike": []}
    for seed in range(3):
        gamma = torch.cat([random_gamma(1, seed=seed)[0], torch.tensor([0.0, 0.8])])
        psf = widefield.family.psf(gamma)
        generator = torch.Generator().manual_seed(seed)
        sharp = SCENES["dead_leaves"](1, 256 + psf.shape[-1] - 1, generator)
        image = add_noise(observe(sharp, psf[None]), torch.tensor([0.003]), generator)[0]
        for name, found in snr.items():
            blur = estimate_blur(image.numpy(), optics=CANONICAL_OPTICS, model=name)
            found.append(float(psf_snr(torch.from_numpy(blur.psf())[None], psf[None])[0]))
    assert np.mean(snr["widefield"]) > np.mean(snr["widefield-zernike"]) + 2
