"""The intensity scale: there and back, and along with gain and offset."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_deepblur.networks.photometry import IntensityScale


def random_images(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 200 * torch.rand(3, 40, 50, generator=generator) ** 3 + 100


def test_round_trip():
    images = random_images()
    scale = IntensityScale.of(images)
    torch.testing.assert_close(scale.restore(scale.normalise(images)), images)


@given(gain=st.floats(1e-3, 1e3), offset=st.floats(-1e3, 1e3), seed=st.integers(0, 100))
def test_gain_and_offset_drop_out(gain, offset, seed):
    images = random_images(seed).double()
    before = IntensityScale.of(images).normalise(images)
    other = gain * images + offset
    torch.testing.assert_close(IntensityScale.of(other).normalise(other), before)


def test_each_image_has_its_own_scale():
    images = random_images() * torch.tensor([1.0, 10.0, 100.0])[:, None, None]
    normal = IntensityScale.of(images).normalise(images)
    assert bool(((normal.amax((-2, -1)) > 0.9) & (normal.amax((-2, -1)) < 1.1)).all())
    torch.testing.assert_close(normal.amin((-2, -1)), torch.zeros(3), rtol=0, atol=0.05)


def test_one_hot_pixel_does_not_set_the_scale():
    images = random_images().repeat(1, 4, 4)
    hot = images.clone()
    hot[:, 5, 5] = 1000
    span, hot_span = IntensityScale.of(images).span, IntensityScale.of(hot).span
    assert float((hot_span / span).max()) < 1.3


def test_a_few_points_have_a_span():
    image = torch.zeros(1, 100, 100)
    image[0, ::33, ::33] = 50
    assert float(IntensityScale.of(image).span) > 10


def test_a_constant_image_is_not_divided_by_zero():
    image = torch.full((1, 20, 20), 4.0)
    scale = IntensityScale.of(image)
    assert torch.equal(scale.normalise(image), torch.zeros(1, 20, 20))
    assert float(scale.span) == pytest.approx(1)
