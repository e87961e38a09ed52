"""Noise level: right over σ, cutoffs and kinds of scene; free of gain, offset and hot pixels."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from helpers.samples import sample_of
from napari_deepblur.engine.noise import noise_deviation, noise_model
from napari_deepblur.operators import ZernikeFamily
from napari_deepblur.samples import SAMPLES
from napari_deepblur.training.data.scenes import SCENES
from napari_deepblur.training.data.synthesis import add_noise, hot_pixels, observe, quantise

CUTOFFS = (0.15, 0.25, 0.35)
SIGMAS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1)

#: Images of each kind of scene.
PER_SCENE = 3


@pytest.fixture(scope="module")
def clean_images():
    """Noiseless images of every kind of scene with structure, maximum 1, for each cutoff."""
    scenes = [draw for name, draw in SCENES.items() if name != "flat"]
    images = {}
    for cutoff in CUTOFFS:
        family = ZernikeFamily(cutoff=cutoff)
        psf = family.psf(family.admissible_set.sample(PER_SCENE, seed=1))
        side = 256 + psf.shape[-1] - 1
        generator = torch.Generator().manual_seed(2)
        blurred = [observe(draw(PER_SCENE, side, generator), psf) for draw in scenes]
        images[cutoff] = torch.cat([image / image.amax((1, 2), keepdim=True) for image in blurred])
    return images


def with_noise(images, sigma, *, seed=3):
    generator = torch.Generator().manual_seed(seed)
    return add_noise(images, torch.full((len(images),), sigma), generator)


def measured(images, cutoff):
    return np.array([noise_deviation(image.numpy(), cutoff) for image in images])


@pytest.fixture(scope="module")
def plane(clean_images):
    return with_noise(clean_images[0.25][-1:], 0.01)[0].numpy()


@pytest.mark.parametrize("cutoff", CUTOFFS)
@pytest.mark.parametrize("sigma", SIGMAS)
def test_poisson_gaussian_noise(clean_images, cutoff, sigma):
    found = measured(with_noise(clean_images[cutoff], sigma), cutoff)
    assert np.median(np.abs(found / sigma - 1)) < 0.15


@pytest.mark.parametrize("cutoff", CUTOFFS)
def test_shot_noise_on_a_dark_ground_counts_in_full(cutoff):
    # More than half of the plane has no noise at all.
    operator = ZernikeFamily(cutoff=cutoff).operator(torch.zeros(1, 7), (256, 256))
    scene = torch.zeros(1, *operator.domain_shape)
    scene[:, 80:200, 80:200] = 1000
    light = operator.forward(scene)[0].clamp_min(0).double().numpy()
    photons = np.random.default_rng(0).poisson(light).astype(np.float32)
    assert noise_deviation(photons, cutoff) == pytest.approx(np.sqrt(light.mean()), rel=0.1)


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_sample_images(name):
    sample = sample_of(name)
    images = sample.image.reshape(-1, *sample.image.shape[-2:]).astype(np.float32)
    for image in images:
        # The camera's read-out noise, its offset, and as many photons as counts above it.
        expected = np.sqrt(30**2 + (image - 100).mean())
        # A small plane has few frequencies beyond the optics' reach.
        rel = 0.05 if image.size > 100_000 else 0.12
        assert noise_deviation(image, sample.optics.cutoff) == pytest.approx(expected, rel=rel)


@pytest.mark.parametrize("cutoff", CUTOFFS)
def test_noiseless_images_have_next_to_none(clean_images, cutoff):
    found = measured(clean_images[cutoff], cutoff)
    assert np.median(found) < (1e-3 if cutoff > 0.31 else 1e-4)
    assert found.min() > 0


def test_detail_inside_the_otf_is_no_noise():
    # Next to its end, and five times as strong as the noise: wavelets take it for noise.
    y, x = np.mgrid[:256, :256]
    grating = 0.05 * np.cos(2 * np.pi * 0.28 * (x + y))
    noise = np.random.default_rng(0).normal(0, 0.01, grating.shape)
    found = noise_deviation((grating + noise).astype(np.float32), 0.25)
    assert found == pytest.approx(0.01, rel=0.05)


def test_an_unknown_cutoff_is_taken_as_large(clean_images, plane):
    assert noise_deviation(plane) == noise_deviation(plane, 0.35)
    found = measured(with_noise(clean_images[0.25], 0.01), None)
    assert np.median(np.abs(found / 0.01 - 1)) < 0.15


@pytest.mark.parametrize(("gain", "offset"), [(1e4, 0), (1e-12, 0), (1e12, 0), (1, 30), (-7, 2)])
def test_gain_and_offset(plane, gain, offset):
    # From double precision, so that the plane itself is not rounded twice.
    changed = (gain * plane.astype(float) + offset).astype(np.float32)
    expected = abs(gain) * noise_deviation(plane, 0.25)
    assert noise_deviation(changed, 0.25) == pytest.approx(expected, rel=1e-3)


def test_hot_pixels_are_no_noise(clean_images):
    noisy = with_noise(clean_images[0.25], 0.01)
    hot = hot_pixels(noisy, 1e-4, torch.Generator().manual_seed(0))
    # Left as they are, six of these in an image would double its noise.
    assert ((hot - noisy).square().mean((1, 2)).sqrt() > 0.01).float().mean() > 0.8
    ratio = measured(hot, 0.25) / measured(noisy, 0.25)
    assert np.quantile(ratio, 0.8) < 1.1


def test_rounding_to_counts_is_noise(clean_images):
    counts = 255 * (1 - 0.03)
    rounded = quantise(clean_images[0.25][-3:], 8) * counts
    assert measured(rounded, 0.25) == pytest.approx(np.full(3, 12**-0.5), rel=0.05)


@pytest.mark.parametrize("shape", [(32, 32), (33, 90), (64, 64), (101, 77)])
def test_small_planes(shape):
    noise = np.random.default_rng(0).normal(100, 3, shape).astype(np.float32)
    assert noise_deviation(noise, 0.25) == pytest.approx(3, rel=0.2)


def test_too_small_a_plane_is_refused():
    with pytest.raises(ValueError, match=r"32 pixels or more, got \(31, 200\)"):
        noise_deviation(np.ones((31, 200), np.float32), 0.25)


def test_never_zero_unless_all_pixels_but_hot_ones_are_equal():
    flat = np.full((70, 70), 5, np.float32)
    assert noise_deviation(flat, 0.25) == 0
    for lone in ((3, 3), (69, 69)):  # a hot pixel; one that no window reaches
        image = flat.copy()
        image[lone] = 900
        assert noise_deviation(image, 0.25) == 0
        assert 0 < noise_model(image, 0.25).deviation < 1
    ramp = np.tile(np.arange(70, dtype=np.float32), (70, 1))
    assert 0 < noise_deviation(ramp, 0.25) < 1e-3


def test_the_plane_is_never_changed(plane):
    given = plane.copy()
    given.flags.writeable = False
    noise_deviation(given, 0.25)
    np.testing.assert_array_equal(given, plane)


def test_importing_it_loads_no_torch():
    code = "import sys, napari_deepblur.engine.noise; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


class TestModel:
    @pytest.mark.parametrize("cutoff", CUTOFFS)
    def test_gain_and_read_noise_are_read(self, cutoff):
        operator = ZernikeFamily(cutoff=cutoff).operator(torch.zeros(1, 7), (256, 256))
        generator = torch.Generator().manual_seed(5)
        found = []
        for draw in (SCENES["nuclei"], SCENES["dead_leaves"], SCENES["membranes"]):
            light = operator(draw(1, operator.domain_shape[0], generator))[0].clamp_min(0)
            photons = 200 * light / light.max()
            counts = 4 * torch.poisson(photons, generator=generator)
            counts = counts + 100 + 10 * torch.randn(counts.shape, generator=generator)
            model = noise_model(counts.numpy(), cutoff)
            dark = 4 * float(photons.min())
            found.append([model.gain / 4, model.dark_variance / (100 + 4 * dark)])
        gain, variance = np.median(found, 0)
        assert gain == pytest.approx(1, abs=0.1)
        assert variance == pytest.approx(1, abs=0.4)

    def test_noise_alike_everywhere_is_one_number(self, clean_images):
        generator = torch.Generator().manual_seed(6)
        images = clean_images[0.25]
        noisy = images + 0.02 * torch.randn(images.shape, generator=generator)
        models = [noise_model(image.numpy(), 0.25) for image in noisy]
        assert not any(model.varies for model in models)
        assert np.ptp(models[0].map(noisy[0].numpy(), 0.25)) == 0

    def test_shot_noise_is_told_from_it(self, clean_images):
        images = clean_images[0.25]
        generator = torch.Generator().manual_seed(6)
        noisy = add_noise(images, torch.full((len(images),), 0.02), generator, shot=1.0)
        mean = images.mean((1, 2)) / images.amax((1, 2))
        told = [noise_model(image.numpy(), 0.25).varies for image in noisy]
        # A nearly even field has nothing to tell it by.
        assert np.mean(np.array(told)[(mean < 0.6).numpy()]) > 0.9

    def test_map_is_the_noise_of_each_place(self):
        y, x = np.mgrid[:256, :256]
        light = 50 + 400 * np.exp(-((y - 128) ** 2 + (x - 128) ** 2) / (2 * 30**2))
        photons = np.random.default_rng(0).poisson(light).astype(np.float32)
        found = noise_model(photons, 0.25).map(photons, 0.25)
        assert np.median(np.abs(found / np.sqrt(light) - 1)) < 0.06
        assert np.sqrt(np.square(found).mean()) == pytest.approx(
            noise_deviation(photons, 0.25), rel=0.03
        )

    @pytest.mark.parametrize(("gain", "offset"), [(30.0, 0.0), (1e-3, 0.0), (1.0, 500.0)])
    def test_gain_and_offset(self, gain, offset):
        light = np.linspace(10, 400, 128)[None] * np.ones((128, 1))
        photons = np.random.default_rng(0).poisson(light).astype(np.float32)
        changed = (gain * photons.astype(float) + offset).astype(np.float32)
        before, after = noise_model(photons, 0.25), noise_model(changed, 0.25)
        assert after.gain == pytest.approx(gain * before.gain, rel=1e-3)
        assert after.dark_variance == pytest.approx(gain**2 * before.dark_variance, rel=1e-2)
        expected = gain * before.map(photons, 0.25)
        np.testing.assert_allclose(after.map(changed, 0.25), expected, rtol=2e-3)
