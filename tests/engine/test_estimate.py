"""Estimating the blur: shapes, refusals, what the answer must not depend on."""

import numpy as np
import pytest
import scipy.ndimage
import torch

from helpers.images import CANONICAL_OPTICS, observed_scene, random_gamma
from helpers.jobs import assert_reports_and_can_be_left, most_calls_in_one_step
from napari_deepblur import Optics, estimate_blur
from napari_deepblur.engine.concerns import ConcernKind
from napari_deepblur.engine.estimate import estimate_blur_job
from napari_deepblur.engine.models import load_model
from napari_deepblur.errors import DeviceError, ImageError, ModelError, SamplingError
from napari_deepblur.operators import ZernikeFamily


@pytest.fixture(scope="module")
def stack():
    planes = [
        observed_scene(scene, gamma, size=128)[0]
        # No points, which would be read as beads are.
        for scene, gamma in zip(("membranes", "filaments", "nuclei"), random_gamma(3), strict=True)
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
    assert (blur.std > 0).all()
    assert len(blur.concerns) == len(blur.in_domain) == 3


def test_one_blur_per_stack(tiny_model, stack):
    blur = estimate(stack, tiny_model, per="stack")
    assert blur.coefficients.shape == blur.std.shape == (1, 7)
    assert (blur.per, blur.n_planes) == ("stack", 3)


@pytest.mark.parametrize("filling", [0.0, 7.5, np.nan])
def test_a_blank_plane_is_passed_over(tiny_model, stack, filling):
    holed = np.insert(stack, 1, filling, axis=0)
    blur = estimate(holed, tiny_model)
    whole = estimate(stack, tiny_model)
    np.testing.assert_allclose(blur.coefficients[[0, 2, 3]], whole.coefficients, atol=1e-6)
    np.testing.assert_allclose(blur.std[[0, 2, 3]], whole.std, rtol=1e-5)
    assert [concern.kind for concern in blur.concerns[1]] == [ConcernKind.BLANK]
    assert (blur.concerns[0], *blur.concerns[2:]) == whole.concerns
    assert np.isfinite(blur.coefficients).all()
    assert np.isfinite(blur.std).all()


def test_blank_planes_do_not_count_in_a_stack(tiny_model, stack):
    blur = estimate(np.insert(stack, [1, 3], 0, axis=0), tiny_model, per="stack")
    whole = estimate(stack, tiny_model, per="stack")
    np.testing.assert_allclose(blur.coefficients, whole.coefficients, atol=1e-6)
    (told,) = [concern for concern in blur.concerns[0] if concern.kind is ConcernKind.BLANK]
    assert "planes 1, 4" in told


def test_a_stack_of_blank_planes_is_refused(tiny_model, stack):
    with pytest.raises(ImageError, match="all pixels are equal"):
        estimate(np.zeros_like(stack), tiny_model)


def test_planes_of_five_dimensions(tiny_model, stack):
    blur = estimate(stack[None, None, :2], tiny_model, axes="TCZYX")
    np.testing.assert_array_equal(blur.coefficients, estimate(stack[:2], tiny_model).coefficients)


def test_a_single_image_has_one_row(tiny_model, stack):
    assert estimate(stack[0], tiny_model).coefficients.shape == (1, 7)


def test_a_planes_blur_does_not_depend_on_its_neighbours(tiny_model, stack):
    together = estimate(stack, tiny_model)
    for index in range(3):
        alone = estimate(stack[index], tiny_model)
        np.testing.assert_allclose(alone.coefficients[0], together.coefficients[index], atol=1e-4)


@pytest.mark.parametrize(("gain", "offset"), [(50.0, 0.0), (1e-3, 0.0), (1.0, -150.0), (0.5, 1e3)])
def test_gain_and_offset_do_not_matter(tiny_model, stack, gain, offset):
    # Noise as a camera has it: without any, the rounding of a large offset is the noise.
    image = stack[:2] + np.random.default_rng(0).normal(0, 0.2, stack[:2].shape)
    before = estimate(image, tiny_model).coefficients
    after = estimate(gain * image + offset, tiny_model).coefficients
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

    monkeypatch.setattr("napari_deepblur.engine.plane_features.resample", exhausted)
    with pytest.raises(DeviceError, match="out of memory: crop"):
        estimate(stack, tiny_model)


def test_reports_and_can_be_left(tiny_model, stack):
    assert_reports_and_can_be_left(
        lambda: estimate_blur_job(
            stack[:2], optics=CANONICAL_OPTICS, model=tiny_model, device="cpu"
        )
    )


def test_a_field_of_few_blur_widths_is_refused(tiny_model, stack):
    optics = CANONICAL_OPTICS.model_copy(update={"pixel_size_um": 0.01})
    with pytest.raises(ImageError, match=r"128 × 128 pixels of 0\.01 µm.*larger field"):
        estimate(stack, tiny_model, optics=optics)


def test_hot_pixels_do_not_matter(tiny_model, stack):
    before = estimate(stack[0], tiny_model).coefficients
    spoilt = stack[0].copy()
    spoilt[20::40, 20::40] = 10 * spoilt.max()
    after = estimate(spoilt, tiny_model).coefficients
    assert np.abs(after - before).max() < 0.01
    # What the test would see were they not repaired.
    smeared = estimate(scipy.ndimage.uniform_filter(spoilt, 2), tiny_model).coefficients
    assert np.abs(smeared - before).max() > 0.02


def test_planes_read_together_are_read_as_one(tiny_model, stack):
    """A stack of one plane repeated is that plane; in stacks of others it has its part."""
    alone = estimate(stack[0], tiny_model)
    repeated = estimate(np.stack([stack[0], 3 * stack[0] + 5]), tiny_model, per="stack")
    np.testing.assert_allclose(repeated.coefficients, alone.coefficients, atol=1e-4)
    np.testing.assert_allclose(repeated.std, alone.std, rtol=1e-3)
    mixed = estimate(stack[:2], tiny_model, per="stack")
    assert np.abs(mixed.coefficients - alone.coefficients).max() > 1e-3


def test_an_undersampled_plane_is_flagged(tiny_model, stack):
    optics = CANONICAL_OPTICS.model_copy(update={"pixel_size_um": 0.14})
    with pytest.warns(UserWarning, match="undersampled"):
        blur = estimate(stack[0], tiny_model, optics=optics)
    assert not blur.in_domain.any()
    assert blur.concerns[0][0].startswith("undersampled")


def test_concerns_of_single_planes_stay_with_them(tiny_model, stack):
    spoilt = stack.copy()
    spoilt[1] = spoilt[1].clip(max=np.quantile(spoilt[1], 0.9))
    per_plane = estimate(spoilt, tiny_model)
    flagged = [any("saturated" in reason for reason in row) for row in per_plane.concerns]
    assert flagged == [False, True, False]
    together = estimate(spoilt, tiny_model, per="stack")
    assert len(together.concerns) == 1
    assert sum("saturated" in reason for reason in together.concerns[0]) == 1


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        ({"axes": "TYX", "z_step_um": 0.3}, "focus series"),
        ({"per": "stack", "z_step_um": 0.3}, "focus series"),
        ({"z_step_um": 0.0}, "must not be 0"),
    ],
)
def test_what_is_no_focus_series_is_refused(tiny_model, stack, arguments, fragment):
    with pytest.raises(ValueError, match=fragment):
        estimate(stack, tiny_model, **({"axes": "ZYX"} | arguments))


def test_noise_alone_is_flagged(tiny_model, stack):
    noise = np.random.default_rng(0).normal(100, 10, (256, 256))
    kinds = [reason.partition(":")[0] for reason in estimate(noise, tiny_model).concerns[0]]
    assert "hardly any detail above the noise" in kinds
    kinds = [reason.partition(":")[0] for reason in estimate(stack[0], tiny_model).concerns[0]]
    assert "hardly any detail above the noise" not in kinds


def test_a_blur_that_varies_over_the_field(tiny_varying_model, stack):
    blur = estimate(stack, tiny_varying_model, axes="TYX")
    assert blur.coefficients.shape == blur.std.shape == (3, 6)
    assert blur.coefficients.dtype == blur.std.dtype == np.float32
    assert blur.varies
    assert blur.field_shape == (128, 128)
    hull = load_model(tiny_varying_model).family.admissible_set
    assert bool(hull.contains(torch.from_numpy(blur.coefficients), tolerance=1e-5).all())
    assert (blur.std[:, 1:] > 1e-4).all()
    assert np.abs(blur.coefficients[0] - blur.coefficients[1]).max() > 1e-3
    corners = [blur.psf(1, position_yx=place) for place in ((0, 0), (0, 127), (127, 0))]
    for psf in corners:
        assert psf.sum() == pytest.approx(1, abs=1e-4)
    assert np.abs(corners[0] - corners[1]).max() > 1e-3
    assert np.abs(corners[0] - corners[2]).max() > 1e-3


def test_a_varying_blur_of_a_whole_stack(tiny_varying_model, stack):
    blur = estimate(stack, tiny_varying_model, per="stack")
    assert blur.coefficients.shape == (1, 6)
    repeated = np.stack([stack[0], 3 * stack[0] + 5])
    together, alone = (
        estimate(repeated, tiny_varying_model, per="stack"),
        estimate(stack[0], tiny_varying_model),
    )
    np.testing.assert_allclose(together.coefficients, alone.coefficients, atol=1e-4)
    np.testing.assert_allclose(together.std[:, 1:], alone.std[:, 1:], rtol=1e-3)


@pytest.mark.parametrize(("gain", "offset"), [(50.0, 0.0), (0.5, 1e3)])
def test_gain_and_offset_do_not_matter_where_the_blur_varies(
    tiny_varying_model, stack, gain, offset
):
    before = estimate(stack[:2], tiny_varying_model).coefficients
    after = estimate(gain * stack[:2] + offset, tiny_varying_model).coefficients
    np.testing.assert_allclose(after, before, atol=2e-3)


def test_where_a_tile_lies_matters(tiny_varying_model, stack):
    """A mirrored image has another varying blur than its tiles alone would say."""
    before = estimate(stack[0], tiny_varying_model).coefficients
    swapped = np.roll(stack[0], (64, 64), axis=(0, 1))
    assert np.abs(estimate(swapped, tiny_varying_model).coefficients - before).max() > 1e-3


@pytest.mark.parametrize("pixel_size_um", [0.06, 0.12])
@pytest.mark.parametrize("shape", [(80, 80), (81, 150)])
def test_varying_blurs_of_other_sizes_and_pixels(tiny_varying_model, shape, pixel_size_um):
    image = np.random.default_rng(0).poisson(50, shape)
    optics = CANONICAL_OPTICS.model_copy(update={"pixel_size_um": pixel_size_um})
    blur = estimate(image, tiny_varying_model, optics=optics)
    assert blur.field_shape == shape
    assert np.isfinite(blur.coefficients).all()
    assert blur.psf(position_yx=(3, 70)).shape[0] == 2 * round(15 * 0.1 / pixel_size_um) + 1


def test_a_focus_series_tells_nothing_of_a_varying_blur(tiny_varying_model, stack):
    with pytest.raises(ValueError, match="'tiny-varying' has not: leave it out"):
        estimate(stack, tiny_varying_model, axes="ZYX", z_step_um=0.3)


def test_a_varying_blur_reports_and_can_be_left(tiny_varying_model, stack):
    assert_reports_and_can_be_left(
        lambda: estimate_blur_job(
            stack[:2], optics=CANONICAL_OPTICS, model=tiny_varying_model, device="cpu"
        )
    )


def test_an_estimate_can_be_cancelled_between_any_two_steps_on_a_plane(
    tiny_model, stack, monkeypatch
):
    from napari_deepblur.engine import plane_features as module

    calls = []

    def counted(name):
        function = getattr(module, name)

        def wrapper(*arguments, **more):
            calls.append(name)
            return function(*arguments, **more)

        return wrapper

    for name in ("concerns_of_plane", "resample", "tile_places"):
        monkeypatch.setattr(module, name, counted(name))
    job = estimate_blur_job(stack, model=tiny_model, device="cpu", optics=CANONICAL_OPTICS)
    assert most_calls_in_one_step(job, calls) == 1
    assert len(calls) == 9
