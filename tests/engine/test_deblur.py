"""Deblurring: shape, photometry, refusals."""

import numpy as np
import pytest
import torch

from helpers.images import CANONICAL_OPTICS, observed_scene, random_gamma
from helpers.jobs import assert_reports_and_can_be_left
from napari_deepblur import BlurEstimate, Optics, deblur
from napari_deepblur.engine import models
from napari_deepblur.engine.deblur import deblur_job
from napari_deepblur.engine.events import Progress
from napari_deepblur.engine.model_files import write_network
from napari_deepblur.engine.models import Model, load_model
from napari_deepblur.engine.network_cards import HalfQuadraticSizes
from napari_deepblur.errors import DeviceError, ImageError, ModelError, SamplingError
from napari_deepblur.samples import SAMPLES


@pytest.fixture(scope="module")
def stack():
    planes = [
        observed_scene(scene, gamma, size=90)[0][:, :77]
        for scene, gamma in zip(("points", "filaments"), random_gamma(2), strict=True)
    ]
    rng = np.random.default_rng(0)
    return (500 * np.stack(planes) + 100 + rng.normal(0, 2, (2, 90, 77))).astype(np.float32)


def blur_of(model, *, n_planes=2, per="plane", optics=CANONICAL_OPTICS):
    gamma = random_gamma(n_planes if per == "plane" else 1).numpy()
    return BlurEstimate(gamma, np.zeros_like(gamma), optics, str(model), per, n_planes)


def restore(image, blur, **arguments):
    return deblur(image, blur, device="cpu", **arguments)


def test_same_shape_float32_finite(tiny_model, stack):
    sharp = restore(stack, blur_of(tiny_model))
    assert sharp.shape == stack.shape
    assert sharp.dtype == np.float32
    assert np.isfinite(sharp).all()
    assert np.abs(sharp - stack).max() > 1  # something was done


def test_flux_of_each_plane_is_kept(tiny_model, stack):
    sharp = restore(stack, blur_of(tiny_model))
    np.testing.assert_allclose(
        sharp.sum((1, 2), dtype=float), stack.sum((1, 2), dtype=float), rtol=1e-4
    )
    # Above the camera's offset too, which would otherwise hide a loss.
    light, before = sharp - 100.0, stack - 100.0
    np.testing.assert_allclose(light.sum((1, 2)), before.sum((1, 2)), rtol=1e-3)


@pytest.mark.parametrize(("gain", "offset"), [(30.0, 0.0), (1e-3, 0.0), (1.0, 500.0), (0.2, -60.0)])
def test_gain_and_offset_go_through(tiny_model, stack, gain, offset):
    blur = blur_of(tiny_model)
    expected = gain * restore(stack, blur) + offset
    # From double precision, so that the input itself is not rounded twice.
    sharp = restore(gain * stack.astype(float) + offset, blur)
    assert np.abs(sharp - expected).max() < 1e-4 * np.ptp(expected)


def test_each_plane_uses_its_own_blur(tiny_model, stack):
    blur = blur_of(tiny_model)
    together = restore(stack, blur)
    for index in range(2):
        row = slice(index, index + 1)
        own = BlurEstimate(blur.coefficients[row], blur.std[row], blur.optics, blur.model)
        np.testing.assert_allclose(restore(stack[index], own), together[index], rtol=1e-5)
    other = BlurEstimate(blur.coefficients[1:], blur.std[1:], blur.optics, blur.model)
    assert np.abs(restore(stack[0], other) - together[0]).max() > 1


def test_one_blur_serves_any_stack(tiny_model, stack):
    blur = blur_of(tiny_model, n_planes=1, per="stack")
    sharp = restore(np.concatenate([stack, stack]), blur)
    np.testing.assert_array_equal(sharp[:2], sharp[2:])


def test_leading_axes_are_kept(tiny_model, stack):
    five = stack[:, None, None]
    sharp = restore(five, blur_of(tiny_model), axes="TCZYX")
    assert sharp.shape == five.shape


@pytest.mark.parametrize("shape", [(64, 64), (67, 130), (101, 65)])
def test_any_size(tiny_model, shape):
    image = np.random.default_rng(0).poisson(50, shape)
    assert restore(image, blur_of(tiny_model, n_planes=1)).shape == shape


def test_the_image_is_never_changed(tiny_model, stack):
    before = stack.copy()
    image = stack.copy()
    image.flags.writeable = False
    restore(image, blur_of(tiny_model))
    np.testing.assert_array_equal(image, before)


def test_borders_do_not_ring(tiny_model):
    rng = np.random.default_rng(0)
    image = (1000 + rng.normal(0, 1, (96, 96))).astype(np.float32)
    sharp = restore(image, blur_of(tiny_model, n_planes=1))
    border = np.ones((96, 96), bool)
    border[16:-16, 16:-16] = False
    assert np.abs(sharp[border] - 1000).max() < 2 * np.abs(sharp[~border] - 1000).max() + 1


def test_a_half_quadratic_network_deblurs_too(tiny_model, tmp_path, stack):
    sizes = HalfQuadraticSizes(method="half-quadratic", n_iterations=4, n_channels=4, n_scales=2)
    card = {"arguments": sizes.model_dump(), "cutoff_range": (0.15, 0.35)}
    folder, family = tmp_path / "model", load_model(tiny_model).family
    write_network(folder, "deblurring", sizes.build(), family=family, card=card)
    blur = blur_of(tiny_model)
    job = deblur_job(stack, blur, model=folder, device="cpu")
    assert {event.total for event in job if isinstance(event, Progress)} == {8}  # 2 planes
    sharp = restore(stack, blur, model=folder)
    assert sharp.shape == stack.shape
    gradient = np.abs(np.diff(sharp, axis=2)).max(), np.abs(np.diff(stack, axis=2)).max()
    assert gradient[0] > 1.1 * gradient[1]


def test_planes_and_blurs_must_agree(tiny_model, stack):
    with pytest.raises(ImageError, match="estimated for 5 planes, the image has 2"):
        restore(stack, blur_of(tiny_model, n_planes=5))


def test_bad_images_are_refused(tiny_model, stack):
    with pytest.raises(ImageError, match="not understood"):
        restore(stack, blur_of(tiny_model), axes="XYZ")


def test_another_model_may_deblur(tiny_model, stack):
    blur = blur_of("widefield-zernike")
    sharp = restore(stack, blur, model=tiny_model)
    np.testing.assert_allclose(sharp, restore(stack, blur_of(tiny_model)))
    with pytest.raises(ModelError, match="no model"):
        restore(stack, blur, model="nobody")


def test_a_sampling_without_blur_is_refused(tiny_model, stack):
    optics = Optics(numerical_aperture=1.2, wavelength_um=0.455, pixel_size_um=0.512)
    with pytest.raises(SamplingError):
        restore(stack, blur_of(tiny_model, optics=optics))


def test_pixels_that_training_did_not_see_are_warned_of(tiny_model, stack):
    optics = CANONICAL_OPTICS.model_copy(update={"pixel_size_um": 0.04})
    with pytest.warns(UserWarning, match=r"cutoff 0\.10.*outside the range 0\.15 … 0\.35"):
        sharp = restore(stack, blur_of(tiny_model, optics=optics))
    assert np.isfinite(sharp).all()


def test_exhausted_memory_is_one_clear_error(tiny_model, stack, monkeypatch):
    def exhausted(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("napari_deepblur.engine.photometry.NoiseReading.model", exhausted)
    with pytest.raises(DeviceError, match="out of memory: crop"):
        restore(stack, blur_of(tiny_model))


def test_reports_and_can_be_left(tiny_model, stack):
    blur = blur_of(tiny_model)
    assert_reports_and_can_be_left(lambda: deblur_job(stack, blur, device="cpu"))


def test_gradients_are_on_between_steps(tiny_model, stack):
    for _ in deblur_job(stack, blur_of(tiny_model), device="cpu"):
        assert torch.is_grad_enabled()
        assert not torch.is_inference_mode_enabled()


def test_a_hot_pixel_is_no_light(tiny_model, stack):
    blur = blur_of(tiny_model)
    hot = stack.copy()
    hot[:, 40, 30] = 60_000
    difference = np.abs(restore(hot, blur) - restore(stack, blur))
    # As much as the mean of its neighbours differs from a pixel.
    assert difference.max() < 0.2 * np.ptp(stack)
    assert np.median(difference) < 1e-3 * np.ptp(stack)


def varying_blur_of(model, *, n_planes=2, per="plane", field_shape=(90, 77)):
    n_blurs = n_planes if per == "plane" else 1
    gamma = load_model(model).family.admissible_set.sample(n_blurs, seed=0).numpy()
    return BlurEstimate(
        gamma, 0 * gamma, CANONICAL_OPTICS, str(model), per, n_planes, field_shape=field_shape
    )


def test_a_blur_that_varies_is_taken_out(tiny_varying_model, stack):
    blur = varying_blur_of(tiny_varying_model)
    sharp = restore(stack, blur)
    assert sharp.shape == stack.shape
    assert sharp.dtype == np.float32
    assert np.isfinite(sharp).all()
    np.testing.assert_allclose(
        sharp.sum((1, 2), dtype=float), stack.sum((1, 2), dtype=float), rtol=1e-4
    )
    # It is the place that counts: the blur of the field's centre gives another image.
    constant = blur.coefficients.copy()
    constant[:, [2, 4, 5]] = 0
    even = BlurEstimate(
        constant, blur.std, blur.optics, blur.model, "plane", 2, field_shape=(90, 77)
    )
    difference = np.abs(restore(stack, even) - sharp)[0]
    assert difference[:20].max() > 1
    assert difference[40:50, 30:47].max() < 0.5 * difference.max()


@pytest.mark.parametrize(("gain", "offset"), [(30.0, 0.0), (1e-3, 0.0), (1.0, 500.0)])
def test_gain_and_offset_go_through_where_the_blur_varies(tiny_varying_model, stack, gain, offset):
    blur = varying_blur_of(tiny_varying_model)
    expected = gain * restore(stack, blur) + offset
    sharp = restore(gain * stack.astype(float) + offset, blur)
    assert np.abs(sharp - expected).max() < 1e-4 * np.ptp(expected)


def test_one_varying_blur_serves_any_stack(tiny_varying_model, stack):
    blur = varying_blur_of(tiny_varying_model, n_planes=1, per="stack")
    sharp = restore(np.concatenate([stack, stack]), blur)
    np.testing.assert_array_equal(sharp[:2], sharp[2:])


def test_a_varying_blur_of_another_field_is_refused(tiny_varying_model, stack):
    blur = varying_blur_of(tiny_varying_model)
    with pytest.raises(ImageError, match=r"field of 90 × 77 pixels, the image has 70 × 77"):
        restore(stack[:, :70], blur)


def test_a_varying_job_reports_and_can_be_left(tiny_varying_model, stack):
    blur = varying_blur_of(tiny_varying_model)
    assert_reports_and_can_be_left(lambda: deblur_job(stack, blur, device="cpu"))


def test_a_network_trained_on_other_blurs_may_deblur(tiny_model, tiny_varying_model, stack):
    sharp = restore(stack, varying_blur_of(tiny_varying_model), model=tiny_model)
    assert sharp.shape == stack.shape
    assert np.isfinite(sharp).all()


def test_bfloat16_costs_next_to_nothing(monkeypatch):
    image = observed_scene("filaments", random_gamma(1, seed=3), size=160)[0]
    plane = np.random.default_rng(0).poisson(60 + 400 * image / image.max()).astype(np.float32)
    blur = blur_of("widefield-zernike", n_planes=1)
    rounded = []
    for able in (False, True):
        model = Model(load_model("widefield-zernike").folder, load_model("widefield-zernike").card)
        monkeypatch.setattr(models, "multiplies_bfloat16", lambda _, able=able: able)
        rounded.append(deblur(plane, blur, model=model, device="cpu"))
    difference = np.abs(rounded[1] - rounded[0]) / np.ptp(plane)
    assert 0 < difference.max() < 1e-4


@pytest.mark.parametrize("sample", ["podosomes", "spheroid", "lymphocyte"])
@pytest.mark.parametrize("kind", ["as it is", "noisy", "photons", "saturated", "empty", "scaled"])
def test_dead_units_can_be_left_out(sample, kind):
    """The network in use and the whole one agree, whatever the image."""
    loaded = SAMPLES[sample]()
    plane = loaded.image.reshape(-1, *loaded.image.shape[-2:])[-1][:128, :128].astype(np.float32)
    rng, span = np.random.default_rng(0), np.ptp(plane)
    relative = (plane - plane.min()) / span
    image = {
        "as it is": plane,
        "noisy": plane + rng.normal(0, 0.1 * span, plane.shape),
        "photons": rng.poisson(200 * relative + 2),
        "saturated": plane.clip(max=plane.min() + 0.4 * span),
        "empty": rng.normal(100, 3, plane.shape),
        "scaled": 1e-3 * plane + 5,
    }[kind].astype(np.float32)
    blur = blur_of("widefield-zernike", n_planes=1, optics=loaded.optics)
    model = load_model("widefield-zernike")
    every_unit = model.card.deblurring.model_copy(update={"live_units": None})
    whole = Model(model.folder, model.card.model_copy(update={"deblurring": every_unit}))
    one, other = (deblur(image, blur, model=used, device="cpu") for used in (model, whole))
    assert np.abs(one - other).max() < 1e-4 * np.ptp(other)
