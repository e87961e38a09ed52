"""The check of a deblurred image: closed forms, invariance, refusals."""

import numpy as np
import pytest
import torch

import napari_deepblur as ndb
from helpers.images import CANONICAL_OPTICS, observed_scene, random_gamma
from helpers.jobs import assert_reports_and_can_be_left
from napari_deepblur import BlurEstimate, check_deblurring, residual_image
from napari_deepblur.engine.diagnostics import check_deblurring_job, residual_image_job
from napari_deepblur.engine.models import load_model
from napari_deepblur.errors import ImageError
from napari_deepblur.operators import ZernikeFamily

MARGIN = 15
INSIDE = (slice(MARGIN, -MARGIN),) * 2
NUMBERS = ("residual", "border_ringing", "flux_moved")


def blur_of(gamma, **changes):
    gamma = np.atleast_2d(np.asarray(gamma, np.float32))
    fields = {"per": "plane", "n_planes": len(gamma)} | changes
    return BlurEstimate(gamma, 0 * gamma, CANONICAL_OPTICS, "widefield-zernike", **fields)


def gamma_of(seed=0):
    return random_gamma(1, seed=seed).numpy()


def observed(scene="nuclei", *, sigma=5.0, size=192, seed=0):
    """Counts of a blurred scene with white noise, the scene itself, and its blur."""
    gamma = random_gamma(1, seed=seed)
    image, sharp = observed_scene(scene, gamma, size=size, seed=seed)
    noise = np.random.default_rng(seed).normal(0, sigma, image.shape)
    image, sharp = 1000 * image + 100 + noise, 1000 * sharp + 100
    return image.astype(np.float32), sharp.astype(np.float32), blur_of(gamma.numpy())


def kinds(check, plane=0):
    return [reason.split(":")[0] for reason in check.concerns[plane]]


class TestResidual:
    @pytest.mark.parametrize("scene", ["nuclei", "membranes", "dead_leaves"])
    @pytest.mark.parametrize("sigma", [3.0, 30.0])
    def test_the_truth_leaves_the_noise(self, scene, sigma):
        image, sharp, blur = observed(scene, sigma=sigma)
        check = check_deblurring(image, sharp, blur)
        assert check.residual[0] == pytest.approx(1, abs=0.05)
        assert check.noise_deviation[0] == pytest.approx(sigma, rel=0.06)
        # Of the truth, detail too faint for the data to show it may be all that is told.
        assert set(kinds(check)) <= {"detail without evidence"}

    def test_a_misfit_of_known_size(self):
        image, sharp, blur = observed(sigma=5.0)
        # A wave that the blur passes with a known gain g is missed: σ² + (g a)² / 2.
        row = np.arange(192)[:, None] - 95.5
        wave = (40 * np.cos(2 * np.pi * 0.125 * row)) * np.ones((192, 192))
        psf = blur.psf()
        offsets = np.arange(31) - 15
        gain = np.abs((psf.sum(1) * np.exp(-2j * np.pi * 0.125 * offsets)).sum())
        check = check_deblurring(image, (sharp + wave).astype(np.float32), blur)
        expected = np.sqrt(1 + (40 * gain / 5) ** 2 / 2)
        assert check.residual[0] == pytest.approx(expected, rel=0.05)

    def test_a_wrong_blur_is_a_concern(self):
        image, sharp, _ = observed("membranes")
        check = check_deblurring(image, sharp, blur_of(gamma_of(5)))
        assert check.residual[0] > 3
        assert kinds(check)[0] == "not explained"
        highest = max(check.residual[0], check.residual_of_bright[0])
        assert f"{highest:.1f} times the noise" in check.concerns[0][0]

    def test_the_border_is_left_out(self):
        image, sharp, blur = observed()
        spoiled = image.copy()
        spoiled[:MARGIN] += 500
        spoiled[:, -MARGIN:] -= 200
        usual, other = (
            (check.residual * check.noise_deviation)[0]
            for check in (check_deblurring(one, sharp, blur) for one in (image, spoiled))
        )
        assert other == pytest.approx(usual, rel=1e-5)
        spoiled[95:98, 95:98] += 500
        check = check_deblurring(spoiled, sharp, blur)
        assert (check.residual * check.noise_deviation)[0] > 1.1 * usual

    def test_a_hot_pixel_is_nothing_to_explain(self):
        image, sharp, blur = observed()
        hot = image.copy()
        hot[96, 96] += 100 * np.ptp(image)
        usual, other = (check_deblurring(one, sharp, blur) for one in (image, hot))
        assert other.residual[0] == pytest.approx(usual.residual[0], rel=0.01)
        assert other.border_ringing[0] == pytest.approx(usual.border_ringing[0], rel=0.05)
        assert other.concerns == ((),)


class TestBorderRinging:
    @pytest.mark.parametrize("scene", ["nuclei", "dead_leaves", "membranes"])
    def test_the_truth_does_not_ring(self, scene):
        image, sharp, blur = observed(scene, size=256)
        check = check_deblurring(image, sharp, blur)
        assert check.border_ringing[0] == pytest.approx(1, abs=0.2)

    def test_ripples_at_the_border(self):
        image, sharp, blur = observed("dead_leaves", size=256)
        distance = np.minimum.outer(
            *(np.minimum(np.arange(256), np.arange(256)[::-1]) for _ in range(2))
        )
        ripple = 800 * np.cos(2 * np.pi * distance / 5) * np.exp(-distance / 8)
        check = check_deblurring(image, (sharp + ripple).astype(np.float32), blur)
        assert check.border_ringing[0] > 2
        assert "ringing at the border" in kinds(check)

    def test_zeros_outside_ring_and_a_mirror_does_not(self):
        image, _, blur = observed("dead_leaves", size=256)
        zeros, mirror = (
            check_deblurring(image, richardson_lucy(image, blur.psf(), mode), blur)
            for mode in ("constant", "symmetric")
        )
        assert zeros.border_ringing[0] > 2
        assert mirror.border_ringing[0] < 1.5
        assert "ringing at the border" in kinds(zeros)
        assert "ringing at the border" not in kinds(mirror)

    @pytest.mark.parametrize("sigma", [0.0, 5.0])
    def test_an_empty_border_tells_nothing(self, sigma):
        rng = np.random.default_rng(0)
        sharp = np.full((256, 256), 100.0)
        sharp[60:-60, 60:-60] += 3000 * (rng.random((136, 136)) > 0.97)
        image = reblurred(sharp, blur_of(gamma_of()).psf()) + rng.normal(0, sigma, sharp.shape)
        # A faint trace of something, as a network leaves it.
        sharp[5, 5] += 0.5
        check = check_deblurring(
            image.astype(np.float32), sharp.astype(np.float32), blur_of(gamma_of())
        )
        assert 0.5 < check.border_ringing[0] < 1.5
        assert "ringing at the border" not in kinds(check)


class TestFluxMoved:
    def test_nothing_to_move(self):
        rng = np.random.default_rng(0)
        image = (1000 + rng.normal(0, 5, (96, 96))).astype(np.float32)
        # So slow, and at the border so flat, that a blur leaves it as it is.
        slow = 50 * np.cos(np.pi * (np.arange(96) + 0.5) / 96)[:, None] * np.ones((96, 96))
        check = check_deblurring(image, (1000 + slow).astype(np.float32), blur_of(gamma_of()))
        assert check.flux_moved[0] < 0.01

    @pytest.mark.parametrize("sigma", [0.5, 50.0])
    def test_points_move_all_but_the_peak_of_the_psf(self, sigma):
        blur = blur_of(gamma_of())
        sharp = np.full((160, 160), 100, np.float32)
        sharp[20:150:40, 20:150:40] += 50_000
        noise = np.random.default_rng(0).normal(0, sigma, sharp.shape)
        image = (reblurred(sharp, blur.psf()) + noise).astype(np.float32)
        check = check_deblurring(image, sharp, blur)
        # The dark level is a percentile, not 100 exactly, so that faint rings count a little less.
        assert check.flux_moved[0] == pytest.approx(1 - blur.psf()[15, 15], abs=0.03)

    def test_it_is_the_share_of_the_truth(self):
        image, sharp, blur = observed("membranes", sigma=20.0)
        clean = reblurred(sharp, blur.psf())
        share = np.abs(sharp - clean).sum() / 2 / (clean - np.quantile(clean, 0.01)).sum()
        assert check_deblurring(image, sharp, blur).flux_moved[0] == pytest.approx(share, rel=1e-3)


@pytest.fixture(scope="module")
def stack():
    parts = [observed(seed=seed, size=96) for seed in range(3)]
    images, sharps = (np.stack([part[place] for part in parts]) for place in (0, 1))
    gamma = np.concatenate([part[2].coefficients for part in parts])
    return images, sharps, blur_of(gamma)


class TestPlanes:
    def test_each_plane_has_its_own_numbers(self, stack):
        images, sharps, blur = stack
        check = check_deblurring(images, sharps, blur, axes="ZYX")
        for plane in range(3):
            own = blur_of(blur.coefficients[plane])
            alone = check_deblurring(images[plane], sharps[plane], own)
            for name in (*NUMBERS, "noise_deviation"):
                values = getattr(check, name)
                assert (values.shape, values.dtype) == ((3,), np.float32)
                assert values[plane] == pytest.approx(getattr(alone, name)[0], rel=1e-5)
            assert check.concerns[plane] == alone.concerns[0]

    def test_residual_image_is_of_the_noise(self, stack):
        images, sharps, blur = stack
        residual = residual_image(images[:, None], sharps[:, None], blur, axes="TZYX")
        assert residual.shape == (3, 1, 96, 96)
        assert residual.dtype == np.float32
        check = check_deblurring(images, sharps, blur)
        for plane in range(3):
            inside = residual[plane, 0][INSIDE]
            rms = float(np.sqrt(np.square(inside, dtype=float).mean()))
            assert rms == pytest.approx(check.residual[plane], rel=1e-4)
            expected = images[plane] - reblurred(sharps[plane], blur.psf(plane))
            np.testing.assert_allclose(
                residual[plane, 0] * check.noise_deviation[plane], expected, atol=0.01
            )

    def test_lazy_arrays(self, stack):
        import dask.array

        images, sharps, blur = stack
        lazy = [dask.array.from_array(part, chunks=(1, 96, 96)) for part in (images, sharps)]
        np.testing.assert_array_equal(
            check_deblurring(*lazy, blur).residual, check_deblurring(images, sharps, blur).residual
        )

    def test_one_blur_of_a_stack_serves_all_planes(self, stack):
        images, sharps, _ = stack
        blur = blur_of(gamma_of(1), per="stack", n_planes=7)
        assert check_deblurring(images, sharps, blur).residual.shape == (3,)

    @pytest.mark.parametrize("make", [check_deblurring_job, residual_image_job])
    def test_jobs_report_and_can_be_left(self, stack, make):
        assert_reports_and_can_be_left(lambda: make(*stack))

    @pytest.mark.parametrize("make", [check_deblurring, residual_image])
    def test_what_does_not_belong_together_is_refused(self, stack, make):
        images, sharps, blur = stack
        with pytest.raises(ImageError, match=r"shape \(2, 96, 96\).*\(3, 96, 96\)"):
            make(images, sharps[:2], blur)
        with pytest.raises(ImageError, match="estimated for 3 planes, the image has 2"):
            make(images[:2], sharps[:2], blur)
        bad = sharps.copy()
        bad[1, 3, 3] = np.nan
        with pytest.raises(ImageError, match="NaN or infinite in plane 1"):
            make(images, bad, blur)


@pytest.mark.parametrize(("gain", "offset"), [(30.0, 0.0), (1e-3, 0.0), (1.0, 500.0), (0.2, -60.0)])
def test_gain_and_offset_make_no_difference(gain, offset):
    image, sharp, blur = observed("membranes", sigma=20.0)
    other = [gain * part.astype(float) + offset for part in (image, sharp)]
    before, after = check_deblurring(image, sharp, blur), check_deblurring(*other, blur)
    for name in NUMBERS:
        assert getattr(after, name) == pytest.approx(getattr(before, name), rel=2e-3)
    assert after.noise_deviation == pytest.approx(gain * before.noise_deviation, rel=2e-3)
    assert after.concerns == before.concerns


@pytest.mark.parametrize("pixel_size_um", [0.02, 0.06, 0.13])
def test_small_fields_at_any_sampling(pixel_size_um):
    optics = CANONICAL_OPTICS.model_copy(update={"pixel_size_um": pixel_size_um})
    gamma = gamma_of()
    blur = BlurEstimate(gamma, 0 * gamma, optics, "widefield-zernike")
    rng = np.random.default_rng(0)
    sharp = (100 + 2000 * (rng.random((64, 70)) > 0.97)).astype(np.float32)
    image = (sharp + rng.normal(0, 5, sharp.shape)).astype(np.float32)
    check = check_deblurring(image, sharp, blur)
    for name in NUMBERS:
        assert np.isfinite(getattr(check, name)).all()
    assert residual_image(image, sharp, blur).shape == (64, 70)


def test_a_result_without_anything_in_it_is_checked_too():
    image, _, blur = observed("nuclei")
    check = check_deblurring(image, np.full_like(image, image.mean()), blur)
    assert check.residual[0] == pytest.approx(image[INSIDE].std() / 5, rel=0.1)
    assert check.flux_moved[0] == pytest.approx(0, abs=1e-6)
    assert np.isfinite(check.border_ringing).all()


def test_the_inputs_are_never_changed():
    image, sharp, blur = observed(size=64)
    copies = image.copy(), sharp.copy()
    for part in (image, sharp):
        part.flags.writeable = False
    check_deblurring(image, sharp, blur)
    residual_image(image, sharp, blur)
    for part, copy in zip((image, sharp), copies, strict=True):
        np.testing.assert_array_equal(part, copy)


def test_deblurring_passes_its_own_check():
    image, _, blur = observed("nuclei", sigma=20.0)
    check = check_deblurring(image, ndb.deblur(image, blur, device="cpu"), blur)
    assert check.residual[0] == pytest.approx(1, abs=0.3)
    assert check.concerns == ((),)


def reblurred(sharp, psf):
    """Convolution with mirrored surroundings, independent of the engine."""
    from scipy.ndimage import convolve

    return convolve(np.asarray(sharp, float), psf.astype(float), mode="reflect")


def richardson_lucy(image, psf, mode, n_iterations=20):
    """Richardson-Lucy above the dark level; outside are zeros or the mirror image."""
    from scipy.signal import fftconvolve

    half = psf.shape[0] // 2
    dark = image.min() - 1

    def blurred(light, kernel):
        return fftconvolve(np.pad(light, half, mode=mode), kernel, "valid")

    seen = image - dark
    light = np.full_like(seen, seen.mean())
    for _ in range(n_iterations):
        light *= blurred(seen / blurred(light, psf).clip(1e-3), psf[::-1, ::-1])
    return (light + dark).astype(np.float32)


def test_scipy_and_the_operator_agree():
    """The tests' own blur is the program's."""
    family = ZernikeFamily()
    gamma = random_gamma(1)
    sharp = np.random.default_rng(0).random((64, 64))
    operator = family.operator(gamma, (64, 64))
    extended = np.pad(sharp, 15, mode="symmetric").astype(np.float32)
    ours = operator.forward(torch.from_numpy(extended)[None])[0].numpy()
    np.testing.assert_allclose(ours, reblurred(sharp, family.psf(gamma)[0].numpy()), atol=1e-5)


def test_a_blur_that_varies_is_checked_where_it_is(tiny_varying_model):
    """The truth leaves the noise; the blur of the field's centre alone does not."""
    family = load_model(tiny_varying_model).family
    gamma = torch.tensor([[1.0, 0.4, 0.3, 0.4, 0.3, 0.1]])
    scene = observed_scene("membranes", random_gamma(1), size=222)[1] * 1000 + 100
    operator = family.operator(gamma, (192, 192))
    image = operator(torch.from_numpy(scene)[None].float())[0].numpy()
    image += np.random.default_rng(0).normal(0, 5, image.shape).astype(np.float32)
    sharp = scene[MARGIN:-MARGIN, MARGIN:-MARGIN].astype(np.float32)

    def blur_with(coefficients):
        row = coefficients.numpy()
        return BlurEstimate(
            row, 0 * row, CANONICAL_OPTICS, str(tiny_varying_model), field_shape=(192, 192)
        )

    check = check_deblurring(image, sharp, blur_with(gamma))
    assert check.residual[0] == pytest.approx(1, abs=0.05)
    assert check.concerns == ((),)
    even = gamma * torch.tensor([1.0, 1, 0, 1, 0, 0])
    assert check_deblurring(image, sharp, blur_with(even)).residual[0] > 1.3
    assert residual_image(image, sharp, blur_with(gamma)).shape == (192, 192)
    with pytest.raises(ImageError, match="varies over a field"):
        check_deblurring(image[:100], sharp[:100], blur_with(gamma))


def test_a_varying_result_of_the_network_is_checked(tiny_varying_model):
    image = observed("nuclei", sigma=20.0, size=96)[0]
    gamma = load_model(tiny_varying_model).family.admissible_set.sample(1, seed=0).numpy()
    blur = BlurEstimate(
        gamma, 0 * gamma, CANONICAL_OPTICS, str(tiny_varying_model), field_shape=(96, 96)
    )
    check = check_deblurring(image, ndb.deblur(image, blur, device="cpu"), blur)
    for name in NUMBERS:
        assert np.isfinite(getattr(check, name)).all()


@pytest.fixture(scope="module")
def nucleus():
    """A smooth bright nucleus on a dark field, photons counted: image, truth and blur."""
    from scipy import ndimage

    y, x = np.mgrid[:192, :192]
    disc = np.hypot((y - 100) / 24, (x - 90) / 18) < 1
    sharp = ndimage.gaussian_filter(disc.astype(float), 1)
    blur = blur_of(np.zeros(7))
    light = 200 * reblurred(sharp, blur.psf()).clip(0) + 1
    image = np.random.default_rng(0).poisson(light).astype(np.float32)
    return image, (200 * sharp + 1).astype(np.float32), blur


class TestNoiseDrawnAsStructure:
    def test_the_truth_and_the_program_pass(self, nucleus):
        image, sharp, blur = nucleus
        for result in (sharp, ndb.deblur(image, blur, device="cpu")):
            check = check_deblurring(image, result, blur)
            assert check.concerns == ((),)
            assert check.residual[0] == pytest.approx(1, abs=0.1)
            assert check.residual_of_bright[0] == pytest.approx(1, abs=0.15)

    def test_granules_are_told(self, nucleus):
        image, sharp, blur = nucleus
        after_many = richardson_lucy(image, blur.psf(), "symmetric", n_iterations=200)
        assert "detail without evidence" in kinds(check_deblurring(image, after_many, blur))
        drawn = sharp.copy()
        drawn[97:103:3, 84:96:3] += 150
        assert "detail without evidence" in kinds(check_deblurring(image, drawn, blur))

    def test_specks_on_empty_ground_are_told(self, nucleus):
        image, _, blur = nucleus
        ground = np.random.default_rng(1).normal(1000, 30, image.shape).astype(np.float32)
        drawn = np.full_like(ground, 1000)
        drawn[40, 150] += 100
        assert kinds(check_deblurring(ground, drawn, blur)) == ["detail without evidence"]
