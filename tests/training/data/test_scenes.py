"""Procedural scenes: range, shape, reproducible, none like another."""

import pytest
import torch

from napari_deepblur.training.data.scenes import SCENES

every_scene = pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES.keys())


def draw(scene, n=3, size=70, seed=0):
    return scene(n, size, torch.Generator().manual_seed(seed))


@every_scene
@pytest.mark.parametrize(("n", "size"), [(1, 33), (4, 96)])
def test_images_between_zero_and_one(scene, n, size):
    images = draw(scene, n, size)
    assert images.shape == (n, size, size)
    assert images.dtype == torch.float32
    assert float(images.min()) >= 0
    assert float(images.max()) <= 1 + 1e-6
    assert bool((images.std((-2, -1)) > 0).any())


@every_scene
def test_one_seed_one_scene(scene):
    assert torch.equal(draw(scene), draw(scene))
    assert not torch.equal(draw(scene), draw(scene, seed=1))


@every_scene
def test_images_of_a_batch_differ(scene):
    first, second, _ = draw(scene)
    assert not torch.equal(first, second)


def test_points_are_sparse_and_lines_thin():
    assert float((draw(SCENES["points"], 16) > 0).float().mean()) < 0.5
    assert float((draw(SCENES["filaments"], 16) > 0.2).float().mean()) < 0.3


def test_flat_scenes_hold_nothing_but_shading():
    images = draw(SCENES["flat"], 16, 64)
    curved = images.diff(n=2, dim=-1).abs().amax()
    assert float(curved) < 1e-3
    spread = images.std((-2, -1))
    assert float(spread.min()) < 1e-6
    assert float(spread.max()) > 0.01


def test_nuclei_are_filled():
    images = draw(SCENES["nuclei"], 8, 96)
    inside = images > 0.1
    eroded = -torch.nn.functional.max_pool2d(-inside.float(), 5, stride=1)
    assert float(eroded.mean()) > 0.02


def test_spheroids_are_many_small_nuclei():
    from scipy import ndimage

    image = draw(SCENES["spheroids"], 1, 200)[0].numpy()
    inside = image > 0
    assert 0.05 < inside.mean() < 0.98
    peaks = ndimage.maximum_filter(ndimage.gaussian_filter(image, 3), 9)
    n_bright = ndimage.label((peaks == ndimage.gaussian_filter(image, 3)) & inside)[1]
    assert n_bright > 40


def test_dead_leaves_fill_the_image_with_edges_of_all_sizes():
    images = draw(SCENES["dead_leaves"], 8, 128)
    assert float((images > 0).float().mean()) > 0.95
    # The spectrum of natural images: amplitude falls about as 1 / frequency.
    centred = images - images.mean((-2, -1), keepdim=True)
    window = torch.hann_window(128)
    power = torch.fft.fft2(centred * window * window[:, None]).abs().square().mean(0)
    frequency = torch.hypot(torch.fft.fftfreq(128)[:, None], torch.fft.fftfreq(128))
    low = power[(frequency > 0.03) & (frequency < 0.06)].mean()
    high = power[(frequency > 0.2) & (frequency < 0.3)].mean()
    assert 10 < float(low / high) < 500
