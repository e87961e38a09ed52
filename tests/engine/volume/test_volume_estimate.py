"""The 3-D blur of stacks whose pupil is known, and what cannot be used."""

import numpy as np
import pytest

import napari_deepblur as ndb
from helpers.stacks import GAMMA, OPTICS, Z_STEP_UM, blurred, photographed, points, psf_snr
from napari_deepblur.engine.concerns import ConcernKind
from napari_deepblur.engine.volume.estimate import PsfProgress, estimate_volume_blur_job
from napari_deepblur.errors import ImageError


@pytest.fixture(scope="module")
def sharp():
    return points((20, 96, 96))


@pytest.fixture(scope="module")
def stack(sharp):
    return photographed(blurred(sharp))


@pytest.fixture(scope="module")
def run(stack):
    """Events of an estimate, and its result."""
    job = estimate_volume_blur_job(stack, optics=OPTICS, z_step_um=Z_STEP_UM)
    events = []
    while True:
        try:
            events.append(next(job))
        except StopIteration as stop:
            return events, stop.value


@pytest.fixture(scope="module")
def blur(run):
    return run[1]


def kinds(blur):
    return {concern.kind for concern in blur.concerns[0]}


def test_the_pupil_is_read_off_the_stack(blur):
    assert blur.coefficients.shape == blur.std.shape == (1, len(GAMMA))
    assert psf_snr(np.zeros_like(GAMMA), GAMMA) < 5
    assert psf_snr(blur.coefficients[0], GAMMA) > 15
    assert blur.concerns == ((),)


def test_events_show_the_psf_that_is_known_so_far(run, blur):
    events, _ = run
    shown = [event for event in events if isinstance(event, PsfProgress)]
    assert all(event.done <= event.total for event in shown)
    assert shown[-1].psf.shape == (31, 49, 49)
    assert np.abs(shown[-1].psf - shown[0].psf).max() > 0.1 * shown[0].psf.max()


def test_psf_3d_is_centred_at_the_images_sampling(blur):
    psf = blur.psf_3d(shape=(11, 33, 33))
    assert psf.shape == (11, 33, 33)
    assert psf.sum() == pytest.approx(1, rel=1e-5)
    with pytest.raises(IndexError, match="volume 1"):
        ndb.VolumeBlurEstimate(
            np.repeat(blur.coefficients, 2, 0)[:0], blur.std[:0], blur.stack_optics
        ).psf_3d(volume=1)
    with pytest.raises(ValueError, match="odd"):
        blur.psf_3d(shape=(10, 33, 33))


def test_a_blur_is_saved_and_read_again(blur, tmp_path):
    path = tmp_path / "blur.json"
    blur.save(path)
    again = ndb.load_blur(path)
    np.testing.assert_allclose(again.coefficients, blur.coefficients, atol=1e-6)
    assert again.stack_optics == blur.stack_optics
    assert again.coefficient_names == blur.coefficient_names
    with pytest.raises(FileExistsError, match="exists"):
        blur.save(path)


def test_a_damaged_file_is_refused(blur, tmp_path):
    path = tmp_path / "blur.json"
    blur.save(path)
    path.write_text(path.read_text().replace('"noll_indices": [\n    5,', '"noll_indices": ['))
    with pytest.raises(ValueError, match="damaged"):
        ndb.load_blur(path)


@pytest.fixture(scope="module")
def deblurred(blur, stack):
    return ndb.deblur(stack, blur)


def test_deblurring_finds_the_points_and_keeps_flux_and_grid(deblurred, stack, sharp):
    restored = deblurred
    assert restored.shape == stack.shape
    assert restored.dtype == np.float32
    assert restored.sum() == pytest.approx(stack.sum(), rel=1e-3)
    truth = sharp[4:-4, 16:-16, 16:-16].ravel()
    assert np.corrcoef(restored.ravel(), truth)[0, 1] > 0.8
    assert np.corrcoef(stack.ravel(), truth)[0, 1] < 0.4


def test_gain_and_offset_pass_through_deblurring(blur, stack, deblurred):
    plain, other = deblurred, ndb.deblur(4 * stack + 100, blur)
    np.testing.assert_allclose(other, 4 * plain + 100, rtol=0.02, atol=0.02 * np.ptp(other))


def test_a_single_blur_serves_every_time_point(blur, stack, deblurred):
    series = np.stack([stack, stack[::-1]])
    restored = ndb.deblur(series, blur, axes="TZYX")
    assert restored.shape == series.shape
    np.testing.assert_allclose(restored[0], deblurred, atol=1e-3 * restored.max())


@pytest.mark.parametrize(
    ("shape", "axes", "options", "message"),
    [
        ((12, 64, 64), "TYX", {}, "have no Z"),
        ((1, 64, 64), "ZYX", {}, "1 plane"),
        ((12, 64, 64), "ZYX", {"z_step_um": None}, "needs z_step_um"),
        ((12, 64, 64), "ZYX", {"z_step_um": -0.3}, "positive"),
        ((12, 64, 64), "ZYX", {}, "all voxels are equal"),
    ],
)
def test_what_cannot_be_used_is_refused(shape, axes, options, message):
    arguments = {"optics": OPTICS, "z_step_um": Z_STEP_UM, "per": "volume", "axes": axes} | options
    with pytest.raises(ValueError, match=message):
        ndb.estimate_blur(np.ones(shape, np.float32), **arguments)


def test_a_light_sheet_is_for_volumes_only():
    with pytest.raises(ValueError, match="light_sheet_fwhm_um"):
        ndb.estimate_blur(np.ones((64, 64)), optics=OPTICS, light_sheet_fwhm_um=3.0)


def test_noise_alone_tells_nothing():
    noise = np.random.default_rng(0).poisson(5.0, (8, 64, 64)).astype(np.float32)
    blur = ndb.estimate_blur(noise, optics=OPTICS, per="volume", z_step_um=Z_STEP_UM)
    assert ConcernKind.TELLS_NOTHING in kinds(blur)
    assert float(blur.std.min()) > 0.029


def test_a_3d_result_cannot_be_checked_plane_by_plane(run, stack):
    _, blur = run
    with pytest.raises(ImageError, match="cannot be checked afterwards"):
        ndb.check_deblurring(stack, stack, blur)
