"""Synthesis: the blur is a convolution, the noise as strong as asked."""

import numpy as np
import pytest
import torch
from scipy.signal import convolve2d

from napari_deepblur.engine.hot_pixels import without_hot_pixels
from napari_deepblur.engine.resample import resample_to
from napari_deepblur.operators import ZernikeFamily
from napari_deepblur.optics.settings import CANONICAL_CUTOFF
from napari_deepblur.training.config import ConditionsConfig
from napari_deepblur.training.data.microscope import Microscope
from napari_deepblur.training.data.sources import Mixture, ProceduralScenes
from napari_deepblur.training.data.synthesis import (
    Haze,
    add_noise,
    draw_noise_levels,
    hot_pixels,
    observe,
    quantise,
    saturate,
    shot_noise,
    smooth_background,
    uneven_illumination,
)

MODES = tuple(range(4, 11))
CONDITIONS = tuple(ConditionsConfig.model_fields)
CANONICAL = (CANONICAL_CUTOFF, CANONICAL_CUTOFF)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_observe_is_the_convolution_of_each_scene_with_its_blur():
    family = ZernikeFamily()
    psf = family.psf(family.admissible_set.sample(2, seed=0))
    sharp = torch.rand(2, 60, 70, generator=generator())
    image = observe(sharp, psf)
    assert image.shape == (2, 30, 40)
    for index in range(2):
        expected = convolve2d(sharp[index].numpy(), psf[index].numpy(), mode="valid")
        np.testing.assert_allclose(image[index].numpy(), expected, atol=1e-5)


def test_noise_is_as_strong_as_asked():
    clean = 30 * torch.rand(4, 128, 128, generator=generator()).square()
    levels = torch.tensor([0.0, 0.01, 0.05, 0.1])
    noise = add_noise(clean, levels, generator(1)) - clean
    expected = levels * clean.amax((-2, -1))
    measured = noise.square().mean((-2, -1)).sqrt()
    torch.testing.assert_close(measured, expected, rtol=0.05, atol=1e-6)
    assert float(noise.mean().abs()) < 0.02


def test_part_of_the_noise_is_shot_noise():
    clean = torch.zeros(40, 64, 64)
    clean[..., 32:] = 1
    noise = add_noise(clean, torch.full((40,), 0.1), generator())
    bright = noise[..., 32:].std((-2, -1))
    dark = noise[..., :32].std((-2, -1))
    assert float((bright / dark).median()) > 1.2
    assert float((bright / dark).min()) > 0.9


def test_noise_levels():
    levels = draw_noise_levels(5000, 0.1, generator())
    assert float((levels == 0).float().mean()) == pytest.approx(0.2, abs=0.03)
    assert float(levels.max()) <= 0.1
    positive = levels[levels > 0]
    assert float(positive.min()) >= 0.1 / 50 * 0.99
    # Log-uniform: as many below the geometric mean as above.
    middle = 0.1 / 50**0.5
    assert float((positive < middle).float().mean()) == pytest.approx(0.5, abs=0.04)


def test_no_noise_at_all():
    assert float(draw_noise_levels(50, 0.0, generator()).abs().max()) == 0


def test_an_empty_scene_gives_numbers():
    noisy = add_noise(torch.zeros(2, 16, 16), torch.tensor([0.1, 0.0]), generator())
    assert bool(noisy.isfinite().all())


def flat(n=3, size=64):
    return torch.ones(n, size, size)


def rough(n=3, size=64, seed=7):
    return 5 * torch.rand(n, size, size, generator=generator(seed))


def test_hot_pixels_are_as_many_and_as_bright_as_asked():
    image = rough(4, 200)
    share = torch.tensor([0.0, 0.001, 0.01, 0.1])
    hot = hot_pixels(image, share, generator(), brightness=(2.0, 3.0))
    changed = hot != image
    measured = changed.float().mean((-2, -1))
    torch.testing.assert_close(measured, share, rtol=0.4, atol=0)
    peak = image.amax((-2, -1), keepdim=True).expand_as(image)[changed]
    assert float((hot[changed] / peak).min()) >= 2
    assert float((hot[changed] / peak).max()) <= 3


@pytest.mark.parametrize("bits", [3, 8])
def test_quantised_images_have_a_camera_s_levels(bits):
    image = rough(2, 128)
    quantised = quantise(image, bits)
    step = image.amax((-2, -1), keepdim=True) / (2**bits - 1)
    assert float(((quantised - image) / step).abs().max()) < 0.6
    n_levels = [len(part.unique()) for part in quantised]
    assert all(0.9 * 2**bits <= n <= 2**bits for n in n_levels)


def test_quantised_noise_below_zero_is_kept_and_overexposure_clipped():
    image = rough(1) - 0.05
    assert float(quantise(image, 12).min()) == pytest.approx(-0.05, abs=5e-3)
    clipped = quantise(image, 12, exposure=2.0)
    assert float(clipped.max()) == pytest.approx(float(image.max()) / 2, rel=1e-3)
    dim = quantise(image, 8, exposure=0.1)
    assert len(dim.unique()) <= 30


def test_each_image_has_its_own_camera():
    few, many = quantise(rough(2), torch.tensor([2, 8]))
    assert len(few.unique()) <= 4
    assert len(many.unique()) > 200


def test_uneven_illumination_spans_its_range_and_is_smooth():
    amplitude = torch.tensor([0.0, 0.2, 0.4])
    lit = uneven_illumination(flat(), amplitude, generator())
    torch.testing.assert_close(lit.amin((-2, -1)), 1 - amplitude)
    torch.testing.assert_close(lit.amax((-2, -1)), 1 + amplitude)
    assert float(lit.diff(dim=-1).abs().max()) < 0.05
    assert not torch.equal(lit[1] - 1, (lit[2] - 1) / 2)


def test_background_is_added_and_as_high_as_asked():
    image = rough()
    added = smooth_background(image, 0.5, generator()) - image
    assert float(added.min()) >= -1e-6
    torch.testing.assert_close(added.amax((-2, -1)), 0.5 * image.amax((-2, -1)))
    assert float(added.diff(dim=-2).abs().max()) < 0.3


def test_saturation_clips_the_share_asked_for():
    image = rough(3, 100)
    share = torch.tensor([0.0, 0.01, 0.2])
    clipped = saturate(image, share)
    torch.testing.assert_close((clipped < image).float().mean((-2, -1)), share)
    assert torch.equal(clipped[0], image[0])
    below = clipped < clipped.amax((-2, -1), keepdim=True)
    assert torch.equal(clipped[below], image[below])


def test_haze_in_focus_is_the_blur_itself():
    gamma = 0.1 * torch.randn(2, 7, generator=generator())
    wide = Haze(MODES).psf(gamma, torch.zeros(2))[:, 32:63, 32:63]
    expected = ZernikeFamily().psf(gamma)
    torch.testing.assert_close(wide / wide.sum((-2, -1), keepdim=True), expected, atol=1e-5, rtol=0)


def test_haze_widens_with_depth_on_both_sides():
    haze = Haze(MODES)
    psf = haze.psf(torch.zeros(4, 7), torch.tensor([0.5, 1.5, 3.0, -3.0]))
    assert psf.shape == (4, haze.margin + 1, haze.margin + 1)
    concentration = psf.square().sum((-2, -1))
    assert concentration[0] > 3 * concentration[1]
    assert concentration[1] > 2 * concentration[2]
    torch.testing.assert_close(psf[2], psf[3], atol=1e-7, rtol=0)


@pytest.mark.parametrize("cutoff", [0.15, 0.35])
def test_haze_window_goes_with_the_cutoff(cutoff):
    assert (Haze(MODES, cutoff).margin + 1) * cutoff == pytest.approx(95 * 0.25, rel=0.03)


def test_haze_is_the_sum_over_planes():
    haze = Haze(MODES)
    gamma = 0.1 * torch.randn(2, 7, generator=generator())
    depth_um = torch.tensor([[0.7, -1.0], [2.0, -3.0]])
    scenes = torch.rand(2, 2, 40 + haze.margin, 50 + haze.margin, generator=generator())
    light = haze.light(scenes, gamma, depth_um)
    planes = [observe(scenes[:, k], haze.psf(gamma, depth_um[:, k])) for k in range(2)]
    torch.testing.assert_close(light, planes[0] + planes[1])


@pytest.mark.parametrize("share", [0.5, torch.tensor([0.0, 0.2, 0.6])])
def test_share_of_the_light_that_is_haze(share):
    image, haze_image = rough(), 100 * rough(seed=8)
    total = Haze.add(image, haze_image, share)
    measured = 1 - image.sum((-2, -1)) / total.sum((-2, -1))
    torch.testing.assert_close(measured, torch.as_tensor(share).expand(3), atol=1e-5, rtol=0)


def test_conditions_are_reproducible():
    image = rough()
    for change in (
        lambda g: hot_pixels(image, 0.01, g),
        lambda g: uneven_illumination(image, 0.3, g),
        lambda g: smooth_background(image, 0.3, g),
    ):
        assert torch.equal(change(generator()), change(generator()))
        assert not torch.equal(change(generator()), change(generator(1)))


SOURCES = Mixture(
    {name: ProceduralScenes(name) for name in ("points", "membranes")},
    {"points": 1, "membranes": 1},
)


def photographed(microscope, n=3, size=64, seed=0):
    gamma = microscope.family.admissible_set.sample(n, seed=seed)
    draws = generator(seed)
    levels = microscope.draw_levels(n, draws)
    return microscope.images(gamma, levels, SOURCES, size, draws)[0]


@pytest.mark.parametrize("cutoff", [(0.25, 0.25), (0.15, 0.35)])
@pytest.mark.parametrize("condition", CONDITIONS)
def test_every_condition_gives_images_and_changes_them(condition, cutoff):
    conditions = ConditionsConfig(**{condition: 1.0})
    changed = photographed(Microscope(ZernikeFamily(), cutoff, conditions, 0.0), size=96)
    plain = photographed(Microscope(ZernikeFamily(), cutoff, ConditionsConfig(), 0.0), size=96)
    assert changed.shape == (3, 96, 96)
    assert bool(changed.isfinite().all())
    if condition != "hot_pixels":  # these are repaired
        assert not torch.allclose(changed, plain)


@pytest.mark.parametrize("cutoff", [0.15, 0.2, 0.25, 0.3, 0.35])
def test_all_conditions_at_any_cutoff(cutoff):
    conditions = ConditionsConfig(**dict.fromkeys(CONDITIONS, 1.0))
    microscope = Microscope(ZernikeFamily(), (cutoff, cutoff), conditions, 0.1)
    images = photographed(microscope)
    assert images.shape == (3, 64, 64)
    assert bool(images.isfinite().all())
    assert torch.equal(images, photographed(microscope))
    assert not torch.equal(images, photographed(microscope, seed=1))


class OneBead:
    """A point in the middle of every scene."""

    def sample(self, n, size, generator):
        scene = torch.zeros(n, size, size)
        scene[:, size // 2, size // 2] = 1
        return scene


@pytest.mark.parametrize("cutoff", [0.15, 0.25, 0.35])
def test_images_of_every_cutoff_show_the_canonical_blur(cutoff):
    microscope = Microscope(ZernikeFamily(), (cutoff, cutoff), ConditionsConfig(), 0.0)
    gamma = microscope.family.admissible_set.sample(1, seed=3)
    image = microscope.images(gamma, torch.zeros(1), OneBead(), 63, generator())[0][0]
    otf = torch.fft.fft2(image).abs()
    expected = torch.fft.fft2(microscope.family.psf(gamma)[0], s=(63, 63)).abs()
    difference = otf / otf[0, 0] - expected / expected[0, 0]
    assert float(difference.abs().max()) < 0.08


def test_cutoffs_are_drawn_half_of_them_canonical():
    microscope = Microscope(ZernikeFamily(), (0.15, 0.35), ConditionsConfig(), 0.0)
    draws = generator()
    cutoffs = [round(microscope._draw_cutoff(draws), 6) for _ in range(2000)]
    assert set(cutoffs) == {0.15, 0.2, 0.25, 0.3, 0.35}
    assert cutoffs.count(0.25) / 2000 == pytest.approx(0.6, abs=0.04)
    assert cutoffs.count(0.15) / 2000 == pytest.approx(0.1, abs=0.03)


def test_a_condition_happens_to_its_share_of_images():
    chosen = Microscope._chosen(0.3, 5000, generator())
    assert len(chosen) / 5000 == pytest.approx(0.3, abs=0.03)
    assert len(Microscope._chosen(0.0, 50, generator())) == 0


def test_scenes_of_a_mixture_come_shuffled():
    class Sorted:
        def sample(self, n, size, generator):
            return torch.arange(n)[:, None, None] + OneBead().sample(n, size, generator)

    microscope = Microscope(ZernikeFamily(), CANONICAL, ConditionsConfig(), 0.0)
    images, _ = microscope.images(torch.zeros(16, 7), torch.zeros(16), Sorted(), 32, generator())
    means = images.mean((-2, -1))
    assert not torch.equal(means, means.sort().values)


def test_hot_pixels_are_repaired_before_resampling():
    conditions = ConditionsConfig(hot_pixels=1.0)
    microscope = Microscope(ZernikeFamily(), CANONICAL, conditions, 0.0)
    plain = photographed(Microscope(ZernikeFamily(), CANONICAL, ConditionsConfig(), 0.0), size=128)
    repaired = photographed(microscope, size=128)
    assert float(repaired.max()) < 1.2 * float(plain.max())
    assert torch.equal(repaired, without_hot_pixels(repaired))


def test_resampling_of_batches_is_that_of_each_image():
    images = rough(4, 30).reshape(2, 2, 30, 30)
    together = resample_to(images, (41, 25))
    assert together.shape == (2, 2, 41, 25)
    torch.testing.assert_close(together[1, 0], resample_to(images[1, 0], (41, 25)))


def test_few_photons_are_whole_and_as_many_as_asked():
    image = rough(2, 128)
    seen = shot_noise(image, torch.tensor([5.0, 100.0]), generator())
    counts = seen * torch.tensor([5.0, 100.0])[:, None, None] / image.amax((1, 2), keepdim=True)
    torch.testing.assert_close(counts, counts.round(), rtol=0, atol=1e-4)
    torch.testing.assert_close(seen.mean((1, 2)), image.mean((1, 2)), rtol=0.02, atol=0)
    error = (seen - image).square().mean((1, 2))
    expected = image.mean((1, 2)) * image.amax((1, 2)) / torch.tensor([5.0, 100.0])
    torch.testing.assert_close(error, expected, rtol=0.1, atol=0)


def test_a_share_of_images_has_few_photons():
    conditions = ConditionsConfig(few_photons=1.0)
    microscope = Microscope(ZernikeFamily(), (0.25, 0.25), conditions, 0.0)
    gamma = ZernikeFamily().admissible_set.sample(2, seed=0)
    scenes = ProceduralScenes("membranes")
    images, _ = microscope.images(gamma, torch.zeros(2), scenes, 96, generator())
    assert max(len(image.unique()) for image in images) <= 300
