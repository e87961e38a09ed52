"""Richardson-Lucy beside that of scikit-image."""

import pytest
import torch
from skimage.restoration import richardson_lucy as of_scikit_image

from napari_deepblur.evaluation.deblurring.classical import richardson_lucy
from napari_deepblur.operators import Convolution


@pytest.fixture
def psf():
    psf = torch.rand(5, 7, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return psf / psf.sum()


@pytest.fixture
def image(psf):
    generator = torch.Generator().manual_seed(2)
    sharp = torch.rand(94, 96, generator=generator, dtype=torch.float64) ** 4 + 0.05
    return Convolution(psf, (90, 90)).forward(sharp)


@pytest.mark.parametrize("n_iterations", [1, 4])
def test_same_inside(image, psf, n_iterations):
    """As far from the border as its light has not travelled."""
    found = richardson_lucy(image, psf, (n_iterations,))[n_iterations]
    expected = of_scikit_image(image.numpy(), psf.numpy(), num_iter=n_iterations, clip=False)
    inside = (slice(30, -30), slice(30, -30))
    torch.testing.assert_close(found[inside], torch.from_numpy(expected)[inside])


def test_snapshots_of_one_run(image, psf):
    found = richardson_lucy(image, psf, (2, 5))
    assert list(found) == [2, 5]
    torch.testing.assert_close(found[2], richardson_lucy(image, psf, (2,))[2])


def test_a_batch_equals_each_alone(image, psf):
    other = psf.flip(0)
    pair = torch.stack([image, image.flip(1)])
    found = richardson_lucy(pair, torch.stack([psf, other]), (3,))[3]
    torch.testing.assert_close(found[1], richardson_lucy(pair[1], other, (3,))[3])


def test_borders_do_not_ring(psf):
    """A constant stays what it is."""
    flat = torch.full((40, 50), 3.0, dtype=torch.float64)
    found = richardson_lucy(flat, psf, (50,))[50]
    torch.testing.assert_close(found, flat, atol=0.05, rtol=0)


def test_negative_counts_are_taken_for_zero(image, psf):
    below = image - 0.1
    found = richardson_lucy(below, psf, (10,))[10]
    assert bool(found.isfinite().all())
    assert float(found.min()) >= 0
