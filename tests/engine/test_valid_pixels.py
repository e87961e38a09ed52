"""Pixels without data: areas of one value, NaN, faults of a camera; not shadows or saturation."""

import numpy as np
import pytest
from scipy import ndimage

import napari_deepblur as ndb
from helpers.images import CANONICAL_OPTICS, observed_scene, random_gamma
from napari_deepblur import BlurEstimate
from napari_deepblur.engine.concerns import ConcernKind
from napari_deepblur.engine.valid_pixels import ValidPlane, empty_areas, faulty_lines
from napari_deepblur.errors import ImageError

SIZE = 192
Y, X = np.mgrid[:SIZE, :SIZE]
WEDGE = 0.6 * Y + 20 > X


def picture(scene="nuclei", *, offset=100.0, sigma=20.0, gain=1000.0, seed=0, size=SIZE):
    image, _ = observed_scene(scene, random_gamma(1, seed=seed), size=size, seed=seed)
    noise = np.random.default_rng(seed).normal(0, sigma, image.shape)
    return (gain * image + offset + noise).astype(np.float32)


@pytest.mark.parametrize("filling", [0.0, 3.0, 300.0, np.nan, np.inf])
@pytest.mark.parametrize("scene", ["nuclei", "membranes", "dead_leaves"])
def test_a_filled_wedge_is_found(scene, filling):
    image = picture(scene)
    image[WEDGE] = filling
    empty, faults = empty_areas(image)
    assert (empty != WEDGE).mean() < 1e-3
    assert not faults.any()


@pytest.mark.parametrize("order", [1, 3])
def test_corners_of_a_turned_image_are_found(order):
    turned = ndimage.rotate(picture(), 20, reshape=False, order=order)
    inside = ndimage.rotate(np.ones((SIZE, SIZE)), 20, reshape=False, order=1) > 0.001
    empty, _ = empty_areas(turned)
    assert (empty & inside).mean() < 0.001
    assert empty[~inside].mean() > 0.97


@pytest.mark.parametrize("scene", ["nuclei", "points", "dead_leaves", "membranes", "filaments"])
@pytest.mark.parametrize("kind", ["whole", "clipped", "saturated", "8 bit", "photons"])
def test_pictures_hold_data_everywhere(scene, kind):
    image = picture(scene)
    if kind == "clipped":
        image = (image - 300).clip(0)
    elif kind == "saturated":
        image = image.clip(None, np.quantile(image, 0.8))
    elif kind == "8 bit":
        image = (picture(scene, sigma=0.5) / 8).round()
    elif kind == "photons":
        image = np.random.default_rng(0).poisson((image - 100).clip(0) / 200).astype(np.float32)
    assert ValidPlane.of(image).valid is None


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("change", [-100.0, 400.0])
def test_a_faulty_line_is_found(turned, change):
    image = picture()
    image[:, 57] += change * (1 + 0.1 * np.sin(Y[:, 0]))
    image = image.T if turned else image
    found = faulty_lines(image)
    expected = np.zeros_like(found)
    expected[:, 57] = True
    np.testing.assert_array_equal(found, expected.T if turned else expected)


def test_a_dead_block_is_a_fault_and_no_empty_area():
    image = picture()
    image[30:36, 80:87] = 0
    seen = ValidPlane.of(image)
    assert seen.empty is None
    assert (~seen.valid).sum() == 42
    assert seen.image[30:36, 80:87].min() > 30


def test_what_holds_no_data_is_filled_from_beside_it():
    image = picture()
    image[:, :40] = np.nan
    seen = ValidPlane.of(image)
    assert seen.empty_share == pytest.approx(40 / SIZE)
    np.testing.assert_allclose(seen.image[:, 0], seen.image[:, 40])
    coarse = seen.on_grid((96, 48))
    assert (coarse.shape, coarse.mean()) == ((96, 48), pytest.approx(38 / 48))


def test_nothing_but_nan_is_refused():
    with pytest.raises(ImageError, match="no pixel holds data"):
        ValidPlane.of(np.full((64, 64), np.nan, np.float32))


@pytest.fixture(scope="module")
def wedged():
    """A picture, the same with a wedge of zeros, and the true blur."""
    gamma = random_gamma(1).numpy()
    image = picture()
    return (
        image,
        np.where(WEDGE, 0, image),
        BlurEstimate(gamma, 0 * gamma, CANONICAL_OPTICS, "widefield-zernike"),
    )


def test_deblurring_is_as_without_the_wedge_and_leaves_it(wedged):
    image, holed, blur = wedged
    whole, sharp = ndb.deblur(image, blur), ndb.deblur(holed, blur)
    assert (sharp[WEDGE] == 0).mean() > 0.999
    far = ~ndimage.binary_dilation(WEDGE, iterations=12)
    assert np.sqrt(np.mean((sharp - whole)[far] ** 2)) < 0.1 * whole.std()
    marked = ndb.deblur(np.where(WEDGE, np.nan, image), blur)
    np.testing.assert_array_equal(np.isnan(marked), WEDGE)
    assert np.abs(marked - sharp)[far].max() < 0.01 * whole.std()


def test_the_check_passes_over_it(wedged):
    image, holed, blur = wedged
    sharp = np.where(WEDGE, np.nan, ndb.deblur(holed, blur))
    check = ndb.check_deblurring(np.where(WEDGE, np.nan, image), sharp, blur)
    assert check.residual[0] == pytest.approx(1, abs=0.2)
    assert check.concerns == ((),)
    residual = ndb.residual_image(np.where(WEDGE, np.nan, image), sharp, blur)
    assert np.abs(residual[WEDGE]).max() == 0


def test_the_estimate_is_nearly_that_of_a_smaller_field():
    image = picture(size=320)
    wedge = 0.6 * np.arange(320)[:, None] + 20 > np.arange(320)
    whole, seen, half = (
        ndb.estimate_blur(one, optics=CANONICAL_OPTICS)
        for one in (image, np.where(wedge, 0, image), image[:, 148:])
    )
    off, off_half = (
        (np.abs(one.coefficients - whole.coefficients) / one.std).max() for one in (seen, half)
    )
    assert off < off_half + 2
    assert seen.concerns[0][0].kind is ConcernKind.EMPTY_AREA
    assert f"{wedge.mean():.2%}" in seen.concerns[0][0]


def test_planes_may_hold_data_in_different_places(wedged):
    image, holed, _ = wedged
    stack = np.stack([image, holed, holed[::-1]])
    together = ndb.estimate_blur(stack, optics=CANONICAL_OPTICS)
    for plane, alone in zip(together.coefficients, stack, strict=True):
        own = ndb.estimate_blur(alone, optics=CANONICAL_OPTICS)
        np.testing.assert_allclose(plane, own.coefficients[0], atol=1e-4)
