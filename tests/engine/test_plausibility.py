"""Concerns: each is raised by what it is about, and by nothing else."""

import numpy as np
import pytest
import torch

from helpers.images import CANONICAL_OPTICS, observed_scene, random_gamma
from napari_deepblur.engine.concerns import ConcernKind
from napari_deepblur.engine.models import load_model
from napari_deepblur.engine.plausibility import (
    concerns_of_model,
    concerns_of_plane,
    concerns_of_prediction,
    concerns_of_psfs,
)
from napari_deepblur.engine.valid_pixels import ValidPlane
from napari_deepblur.networks.head import Prediction
from napari_deepblur.operators import ZernikeFamily
from napari_deepblur.training.data.scenes import SCENES
from napari_deepblur.training.data.synthesis import add_noise, observe


def noisy(scene, level, *, seed=0):
    image, _ = observed_scene(scene, random_gamma(1, seed=seed), size=256, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    levels = torch.tensor([level])
    return add_noise(torch.from_numpy(image)[None], levels, generator)[0].numpy()


@pytest.mark.parametrize("scene", ["membranes", "filaments", "nuclei", "dead_leaves", "spheroids"])
@pytest.mark.parametrize("level", [0.0, 0.01, 0.1])
def test_images_as_in_training_raise_none(scene, level):
    assert concerns_of_plane(ValidPlane(noisy(scene, level)), CANONICAL_OPTICS) == ()


def test_saturation():
    image = noisy("nuclei", 0.01)
    clipped = image.clip(max=np.quantile(image, 0.97)).astype(np.float32)
    (concern,) = concerns_of_plane(ValidPlane(clipped), CANONICAL_OPTICS)
    assert concern.startswith("saturated: 3.0%")


@pytest.mark.parametrize("level", [0.0, 0.01])
def test_a_bead_alone(level):
    psf = ZernikeFamily().psf(random_gamma(1, seed=4))
    field = torch.zeros(1, 286, 286)
    field[0, 130, 150] = 1
    generator = torch.Generator().manual_seed(0)
    image = add_noise(observe(field, psf), torch.tensor([level]), generator)[0].numpy()
    concerns = concerns_of_plane(ValidPlane(1000 * image + 100), CANONICAL_OPTICS)
    assert [concern.kind for concern in concerns] == [ConcernKind.NEARLY_EMPTY]


def test_undersampling():
    optics = CANONICAL_OPTICS.model_copy(update={"pixel_size_um": 0.15})
    assert concerns_of_plane(ValidPlane(noisy("nuclei", 0.01)), optics)[0].startswith(
        "undersampled"
    )


@pytest.mark.parametrize("level", [0.0, 0.01])
def test_a_larger_aperture_than_was_said_shows_beyond_the_otf(level):
    psf = ZernikeFamily(cutoff=0.25).psf(torch.zeros(1, 7))
    generator = torch.Generator().manual_seed(3)
    sharp = SCENES["filaments"](1, 256 + psf.shape[-1] - 1, generator)
    image = add_noise(observe(sharp, psf), torch.tensor([level]), generator)[0].numpy()
    claimed = CANONICAL_OPTICS.model_copy(update={"numerical_aperture": 0.65})
    assert claimed.cutoff == pytest.approx(0.125)
    concerns = concerns_of_plane(ValidPlane(image), claimed)
    assert [concern.kind for concern in concerns] == [ConcernKind.BEYOND_OTF]


def test_the_networks_own_doubt():
    detail = torch.tensor([20.0, 0.2, 0.01, 5.0, -0.03])
    foreign = torch.tensor([-3.0, 0.5, -3.0, -3.0, 4.0])
    std = torch.tensor([0.02, 0.02, 0.02, 0.09, 0.1])[:, None].expand(5, 7)
    prediction = Prediction(torch.zeros(5, 8), foreign, std.log())
    concerns = concerns_of_prediction(prediction, detail, prior_std=0.15 / 3**0.5)
    kinds = [[concern.kind for concern in row] for row in concerns]
    unlike, no_detail, guess = ConcernKind.UNLIKE, ConcernKind.NO_DETAIL, ConcernKind.GUESS
    assert kinds == [[], [unlike], [no_detail], [guess], [unlike, no_detail, guess]]


def gaussian(fwhm):
    """PSF of a full width at half maximum in pixels, shape (1, 41, 41)."""
    y, x = np.mgrid[-20:21, -20:21]
    psf = np.exp(-4 * np.log(2) * (y**2 + x**2) / fwhm**2).astype(np.float32)
    return psf[None] / psf.sum()


def test_a_psf_far_wider_than_the_diffraction_limit():
    limit = 1 / (2 * CANONICAL_OPTICS.cutoff)  # λ / 2NA in pixels
    assert concerns_of_psfs(gaussian(3.5 * limit), CANONICAL_OPTICS) == ()
    (concern,) = concerns_of_psfs(gaussian(4.5 * limit), CANONICAL_OPTICS)
    assert concern.kind is ConcernKind.PSF_TOO_WIDE
    assert "4.5 times λ / 2NA" in concern


def test_where_the_psf_varies_its_sharpest_place_counts():
    limit = 1 / (2 * CANONICAL_OPTICS.cutoff)
    psfs = np.concatenate([gaussian(6 * limit), gaussian(3 * limit)])
    assert concerns_of_psfs(psfs, CANONICAL_OPTICS) == ()
    (concern,) = concerns_of_psfs(psfs[[0, 0]], CANONICAL_OPTICS)
    assert "where the PSF is sharpest" in concern


@pytest.mark.parametrize(
    ("aperture", "index", "is_far"),
    [(0.8, 1.333, False), (1.0, 1.333, False), (1.4, 1.518, True), (0.4, 1.0, True)],
)
def test_a_model_of_another_microscope(aperture, index, is_far):
    made_for = load_model("spim").card.made_for
    optics = made_for.model_copy(
        update={"numerical_aperture": aperture, "refractive_index": index, "pixel_size_um": 0.1}
    )
    kinds = [concern.kind for concern in concerns_of_model(made_for, optics)]
    assert kinds == [ConcernKind.FAR_OPTICS] * is_far
    assert concerns_of_model(load_model("widefield-zernike").card.made_for, optics) == ()
