"""Estimating the blur: shapes, refusals, what the answer must not depend on."""

import numpy as np
import pytest
import torch

from helpers.images import CANONICAL_OPTICS, observed_scene, random_gamma
from helpers.jobs import assert_reports_and_can_be_left
from napari_deepblur import Optics, estimate_blur
from napari_deepblur.engine.estimate import estimate_blur_job, tile_slices
from napari_deepblur.errors import DeviceError, ImageError, ModelError, SamplingError
from napari_deepblur.operators import ZernikeFamily


@pytest.fixture(scope="module")
def stack():
    planes = [
        observed_scene(scene, gamma, size=128)[0]
        for scene, gamma in zip(("points", "filaments", "nuclei"), random_gamma(3), strict=True)
    ]
    return 200 * np.stack(planes) + 100


def estimate(image, tiny_model, **arguments):
    return estimate_blur(
        image, model=tiny_model, device="cpu", **({"optics": CANONICAL_OPTICS} | arguments)
    )


def test_one_blur_per_plane(tiny_model, stack):
    blur = estimate(stack, tiny_model, axes="TYX")
    assert blur.coefficients.shape == blur.std.shape == (3, 7)
    assert blur.coefficients.dtype == blur.std.dtype == np.float32
    assert (blur.per, blur.n_planes) == ("plane", 3)
    assert blur.optics == CANONICAL_OPTICS
    inside = ZernikeFamily().admissible_set.contains(torch.from_numpy(blur.coefficients))
    assert bool(inside.all())
    assert (blur.std >= 0).all()
    assert (blur.std.max(1) > 0).all()  # sub-fields differ in something


def test_one_blur_per_stack(tiny_model, stack):
    blur = estimate(stack, tiny_model, per="stack")
    assert blur.coefficients.shape == blur.std.shape == (1, 7)
    assert (blur.per, blur.n_planes) == ("stack", 3)


def test_planes_of_five_dimensions(tiny_model, stack):
    blur = estimate(stack[None, None, :2], tiny_model, axes="TCZYX")
    np.testing.assert_array_equal(blur.coefficients, estimate(stack[:2], tiny_model).coefficients)


def test_a_single_image_has_one_row(tiny_model, stack):
    assert estimate(stack[0], tiny_model).coefficients.shape == (1, 7)


def test_a_planes_blur_does_not_depend_on_its_neighbours(tiny_model, stack):
    together = estimate(stack, tiny_model)
    for index in range(3):
        alone = estimate(stack[index], tiny_model)
        np.testing.assert_allclose(alone.coefficients[0], together.coefficients[index], atol=1e-6)


@pytest.mark.parametrize(("gain", "offset"), [(50.0, 0.0), (1e-3, 0.0), (1.0, -150.0), (0.5, 1e3)])
def test_gain_and_offset_do_not_matter(tiny_model, stack, gain, offset):
    before = estimate(stack[:2], tiny_model).coefficients
    after = estimate(gain * stack[:2] + offset, tiny_model).coefficients
    np.testing.assert_allclose(after, before, atol=2e-3)


def test_number_type_does_not_matter(tiny_model, stack):
    counts = stack[0].round().astype(np.uint16)
    before = estimate(counts, tiny_model).coefficients
    for dtype in (np.int32, np.float64, ">u2"):
        after = estimate(counts.astype(dtype), tiny_model).coefficients
        np.testing.assert_array_equal(after, before)


def test_the_image_is_not_changed(tiny_model, stack):
    before = stack.copy()
    frozen = stack.view()
    frozen.flags.writeable = False
    estimate(frozen[0], tiny_model)
    np.testing.assert_array_equal(stack, before)


@pytest.mark.parametrize("pixel_size_um", [0.05, 0.1])
@pytest.mark.parametrize("shape", [(64, 64), (65, 150)])
def test_small_images_and_fine_pixels(tiny_model, shape, pixel_size_um):
    image = np.random.default_rng(0).poisson(50, shape)
    optics = CANONICAL_OPTICS.model_copy(update={"pixel_size_um": pixel_size_um})
    blur = estimate(image, tiny_model, optics=optics)
    assert np.isfinite(blur.coefficients).all()
    assert blur.std.max() > 0


def test_an_image_without_blur_is_refused(tiny_model, stack):
    optics = Optics(numerical_aperture=1.2, wavelength_um=0.455, pixel_size_um=0.512)
    with pytest.raises(SamplingError, match="larger than the optical blur"):
        estimate(stack, tiny_model, optics=optics)


def test_an_undersampled_image_runs_with_a_warning(tiny_model, stack):
    optics = Optics(
        numerical_aperture=1.45, wavelength_um=0.461, pixel_size_um=0.13, refractive_index=1.512
    )
    with pytest.warns(UserWarning, match=r"undersampled.*0\.41"):
        blur = estimate(stack[0], tiny_model, optics=optics)
    assert blur.coefficients.shape == (1, 7)


@pytest.mark.parametrize(
    ("arguments", "error", "fragment"),
    [
        ({"axes": "XYZ"}, ImageError, "not understood"),
        ({"per": "frame"}, ValueError, "'plane' or 'stack', got 'frame'"),
        ({"model": "nobody"}, ModelError, "no model 'nobody'"),
        ({"device": "tpu"}, DeviceError, "unknown device"),
    ],
)
def test_bad_arguments(tiny_model, stack, arguments, error, fragment):
    arguments = {"model": tiny_model, "optics": CANONICAL_OPTICS} | arguments
    with pytest.raises(error, match=fragment):
        estimate_blur(stack, **arguments)


def test_an_absent_gpu(tiny_model, stack, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="not there"):
        estimate_blur(stack, optics=CANONICAL_OPTICS, model=tiny_model, device="cuda")


def test_exhausted_memory_is_one_clear_error(tiny_model, stack, monkeypatch):
    def exhausted(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("napari_deepblur.engine.estimate.resample", exhausted)
    with pytest.raises(DeviceError, match="out of memory: crop"):
        estimate(stack, tiny_model)


def test_reports_and_can_be_left(tiny_model, stack):
    assert_reports_and_can_be_left(
        lambda: estimate_blur_job(
            stack[:2], optics=CANONICAL_OPTICS, model=tiny_model, device="cpu"
        )
    )


@pytest.mark.parametrize("side", [32, 64, 100, 128, 129, 170, 171, 300, 512, 2048])
def test_tiles_cover_the_axis(side):
    tiles = tile_slices(side)
    assert len(tiles) >= 2
    assert len({tile.start for tile in tiles}) == len(tiles)
    assert {tile.stop - tile.start for tile in tiles} == {min(128, -(-3 * side // 4))}
    assert {i for tile in tiles for i in range(tile.start, tile.stop)} == set(range(side))


def test_a_field_of_few_blur_widths_is_refused(tiny_model, stack):
    optics = CANONICAL_OPTICS.model_copy(update={"pixel_size_um": 0.01})
    with pytest.raises(ImageError, match=r"128 × 128 pixels of 0\.01 µm.*larger field"):
        estimate(stack, tiny_model, optics=optics)
