import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_deepblur.calibration.settings import CalibrationSettings
from napari_deepblur.engine.bead_images import BeadImages
from napari_deepblur.engine.events import finish
from napari_deepblur.errors import ImageError

RNG = np.random.default_rng(0)
STACK = RNG.uniform(0, 100, (5, 64, 70)).astype(np.float32)


def taken(images, *, axes=None, names=None, **settings):
    settings = CalibrationSettings(pixel_size_um=0.1, **settings)
    return BeadImages.of(images, settings, axes=axes, names=names)


def read(images, index=0):
    """Image of an acquisition, and what was taken of its stack."""
    found = finish(images.read_job(index))
    return found.image, found.taken


def test_planes_are_taken_as_they_are():
    images = taken([STACK[0], STACK[1]], names=["a", "b"])
    assert images.names == ("a", "b")
    assert images.shape == (64, 70)
    np.testing.assert_array_equal(read(images, 1)[0], STACK[1])
    assert read(images, 1)[1] == ""


def test_one_array_is_one_image():
    assert len(taken(STACK[0])) == 1
    assert taken(STACK[0]).names == ("image 1",)


def test_each_time_point_is_an_acquisition():
    images = taken(STACK, axes="TYX", names=["film"])
    assert images.names[3] == "film, time 3"
    np.testing.assert_array_equal(read(images, 3)[0], STACK[3])


def test_planes_of_a_time_series_of_stacks():
    series = np.stack([STACK, STACK[::-1] + 1000])
    images = taken(series, axes="TZYX", plane=1)
    assert len(images) == 2
    np.testing.assert_array_equal(read(images, 0)[0], STACK[1])
    np.testing.assert_array_equal(read(images, 1)[0], STACK[3] + 1000)
    assert read(images, 1)[1] == "plane 1"


def test_a_range_of_planes_is_summed():
    image, what = read(taken(STACK, z_range=(1, 4)))
    np.testing.assert_allclose(image, STACK[1:4].sum(0), rtol=1e-6)
    assert what == "sum of planes 1 to 3"


def test_the_sharpest_plane():
    points = 1e4 * (RNG.random((64, 70)) > 0.99)
    stack = np.stack([gaussian_filter(points, width) for width in (4, 2, 1, 2, 5)])
    stack += RNG.normal(100, 2, stack.shape)
    stack[4, 20, 20] = 1e5  # a hot pixel makes no plane sharp
    image, what = read(taken(stack, plane="sharpest"))
    np.testing.assert_array_equal(image, stack[2].astype(np.float32))
    assert what == "plane 2, the sharpest"


def test_a_stack_of_one_plane_is_a_plane():
    np.testing.assert_array_equal(read(taken(STACK[:1]))[0], STACK[0])


@pytest.mark.parametrize(
    ("images", "options", "says"),
    [
        ([], {}, "no image"),
        (STACK, {}, "which plane"),
        (STACK, {"plane": 5}, r"planes 0 … 4"),
        (STACK, {"plane": -1}, r"planes 0 … 4"),
        (STACK, {"z_range": (3, 6)}, "3:6"),
        (STACK, {"z_range": (3, 3)}, "3:3"),
        ([STACK[0], STACK[0, :, :66]], {}, "64 × 70 pixels, image 2 is 64 × 66"),
        (np.zeros((64, 64, 3)), {}, "RGB"),
    ],
)
def test_refusals(images, options, says):
    with pytest.raises(ImageError, match=says):
        read(taken(images, **options))


def test_names_must_fit():
    with pytest.raises(ValueError, match="expected 1 names"):
        taken(STACK[0], names=["a", "b"])


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"plane": 1, "z_range": (0, 2)}, "exclude one another"),
        ({"window": 20}, "give 21"),
        ({"window": 3}, "window"),
        ({"n_eigen_psfs": 0}, "n_eigen_psfs"),
        ({"inflation": 0.9}, "inflation"),
        ({"plane": "best"}, "plane"),
        ({"pixel_size_um": 0}, "pixel_size_um"),
    ],
)
def test_impossible_settings(settings, says):
    with pytest.raises(ValueError, match=says):
        CalibrationSettings(**{"pixel_size_um": 0.1} | settings)
