"""From images of beads to a family: what is found, and what is refused."""

from functools import cache

import numpy as np
import pytest

from helpers.bead_images import bead_field, calibrated, error_db
from helpers.jobs import assert_reports_and_can_be_left
from napari_deepblur import Optics, calibrate
from napari_deepblur.calibration.settings import CalibrationSettings
from napari_deepblur.engine.calibrate import calibrate_job, find_beads_job
from napari_deepblur.engine.events import finish
from napari_deepblur.errors import ImageError, SamplingError
from napari_deepblur.samples.bead_field import draw_bead_field
from napari_deepblur.samples.bead_series import draw_bead_series


@cache
def series():
    return draw_bead_series(n_times=4, shape=(256, 256), n_beads=25, seed=1)


@cache
def drift():
    return calibrate(series().images, axes="TYX", pixel_size_um=0.1, window=21, n_eigen_psfs=4)


def bead_image(n_beads, *, peak=2000.0, shape=(160, 160), seed=0, width=1.5):
    """Gaussian beads on a grid."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    image = rng.normal(100, 5, shape)
    side = int(np.ceil(n_beads**0.5))
    for index in range(n_beads):
        cy, cx = ((np.array(divmod(index, side)) + 0.5) / side) * shape
        image += peak * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * width**2))
    return image.astype(np.float32)


def test_unseen_places():
    axis = np.linspace(60, 260, 5)
    places = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    found = np.stack([calibrated().psf((y, x)) for y, x in places])
    true = bead_field().psf(places)
    assert error_db(found, true) < -25
    assert error_db(true.mean(0), true) > -18


def test_drift_is_seen_in_the_coefficients():
    gamma = drift().coefficients
    assert gamma.shape[0] == 4
    assert (gamma[:, 0] == 1).all()
    assert abs(np.corrcoef(gamma[:, 1], series().defocus)[0, 1]) > 0.98
    assert (np.diff(gamma[:, 1]) > 0).all()


def test_each_acquisition_has_its_psf():
    for acquisition in range(4):
        found = drift().psf((128, 128), acquisition)
        true = series().psf((128, 128), acquisition)[2:-2, 2:-2]
        assert error_db(found, true) < -17
    first, last = drift().psf(acquisition=0), drift().psf(acquisition=3)
    assert first.max() > 1.3 * last.max()


def test_the_family_holds_all_acquisitions():
    import torch

    family = drift().family
    assert family.admissible_set.contains(torch.from_numpy(drift().coefficients)).all()
    assert drift().beads["acquisition"].tolist() == sorted(drift().beads["acquisition"])
    assert drift().names[2] == "image 1, time 2"


def test_bad_beads_change_little():
    field = draw_bead_field(
        shape=(448, 448), n_beads=64, peak_snr=60, share_bad=0.15, crowded=0, seed=5, window=25
    )
    good = field.positions[~field.bad]
    options = {"pixel_size_um": 0.1, "window": 25, "n_eigen_psfs": 3}
    found = calibrate([field.image], **options)
    ideal = calibrate([field.image], positions=[good], **options)
    axis = np.linspace(60, 380, 5)
    places = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    errors = [
        error_db(np.stack([one.psf((y, x)) for y, x in places]), field.psf(places))
        for one in (found, ideal)
    ]
    assert errors[0] - errors[1] < 0.5
    assert sum(found.n_rejected.values()) > 0


def test_beads_may_be_given():
    positions = bead_field().positions[:20]
    result = calibrate([bead_field().image], pixel_size_um=0.1, window=25, positions=[positions])
    assert len(result.beads) == 20
    assert result.settings["n_eigen_psfs"] is None


def test_it_tells_how_far_it_is():
    settings = CalibrationSettings(pixel_size_um=0.1)
    image = bead_image(9)
    assert_reports_and_can_be_left(lambda: calibrate_job([image], settings))


class TestFewBeads:
    @pytest.mark.parametrize("n_beads", [1, 2, 5])
    def test_fewer_eigen_psfs_and_a_note(self, n_beads):
        result = calibrate([bead_image(n_beads)], pixel_size_um=0.1, window=21)
        assert result.n_used == n_beads
        assert len(result.eigen_psfs) == 1
        assert f"only {n_beads} bead" in " ".join(result.notes)
        corner = result.psf_field(np.array([[-1.0, -1.0]]))[0]
        np.testing.assert_allclose(corner, result.psf(), atol=0.01 * corner.max())

    def test_more_eigen_psfs_than_they_allow(self):
        with pytest.raises(
            ValueError, match="4 eigen-PSFs need at least 7 usable beads, there are 5"
        ):
            calibrate([bead_image(5)], pixel_size_um=0.1, window=21, n_eigen_psfs=4)

    def test_one_bead_in_each_acquisition(self):
        images = [bead_image(1, width=width) for width in (1.5, 1.8, 2.1)]
        result = calibrate(images, pixel_size_um=0.1, window=21)
        assert result.coefficients.shape == (3, 2)
        peaks = [result.psf(acquisition=index).max() for index in range(3)]
        assert peaks == sorted(peaks, reverse=True)
        assert result.error_db is None

    def test_one_bead_in_each_alike(self):
        images = [bead_image(1, seed=seed) for seed in range(3)]
        result = calibrate(images, pixel_size_um=0.1, window=21)
        assert result.coefficients.tolist() == [[1]] * 3


class TestRefusals:
    def test_no_beads(self):
        noise = np.random.default_rng(0).normal(100, 5, (128, 128))
        with pytest.raises(ImageError, match="no beads found in empty"):
            calibrate([noise], pixel_size_um=0.1, window=21, names=["empty"])

    def test_all_saturated(self):
        image = np.minimum(bead_image(9, peak=8000), 1000)
        with pytest.raises(ImageError, match=r"all are left out \(9 saturated\): .*less light"):
            calibrate([image], pixel_size_um=0.1, window=21)

    def test_all_at_the_border(self):
        with pytest.raises(ImageError, match="smaller window"):
            calibrate([bead_image(4, shape=(80, 80))], pixel_size_um=0.1, window=61)

    def test_pixel_size_missing(self):
        with pytest.raises(ValueError, match="pixel size is missing"):
            calibrate([bead_image(4)])

    def test_two_pixel_sizes(self):
        optics = Optics(numerical_aperture=1, wavelength_um=0.5, pixel_size_um=0.1)
        with pytest.raises(ValueError, match=r"0\.2, but the optics have 0\.1"):
            calibrate([bead_image(4)], optics=optics, pixel_size_um=0.2)

    def test_pixels_larger_than_the_blur(self):
        optics = Optics(numerical_aperture=1, wavelength_um=0.5, pixel_size_um=0.4)
        with pytest.raises(SamplingError, match="no blur left"):
            calibrate([bead_image(4)], optics=optics)

    def test_positions_for_other_images(self):
        with pytest.raises(ValueError, match="each of the 1 acquisitions, got 2"):
            calibrate([bead_image(4)], pixel_size_um=0.1, positions=[None, None])


class Counted:
    """A lazy stack that counts how often each plane is read."""

    def __init__(self, data):
        self.data, self.shape, self.dtype, self.ndim = data, data.shape, data.dtype, data.ndim
        self.reads = []

    def __getitem__(self, index):
        self.reads.append(index)
        return self.data[index]


def test_each_plane_is_read_once_and_found_beads_are_not_looked_for_again():
    image = bead_image(9)
    stack = Counted(np.stack([0.3 * image + 70, image, 0.5 * image + 50]))
    settings = CalibrationSettings(pixel_size_um=0.1, plane="sharpest", window=21)
    found = finish(find_beads_job(stack, settings, axes="ZYX"))
    assert sorted(stack.reads) == [(0,), (1,), (2,)]
    assert found.acquisitions[0].plane == 1
    assert (found.tables[0]["status"] == "used").all()
    at_once = calibrate(np.asarray(image), pixel_size_um=0.1, window=21)
    result = finish(calibrate_job(found, settings))
    assert len(stack.reads) == 3
    np.testing.assert_allclose(result.psf(), at_once.psf(), atol=1e-6)
    assert result.planes == ("plane 1, the sharpest",)
    fewer = found.tables[0][["y", "x"]].to_numpy()[:5]
    assert finish(calibrate_job(found, settings, positions=[fewer])).n_used == 5
    narrower = settings.model_copy(update={"window": 15})
    assert finish(calibrate_job(found, narrower)).window == 15
    other = settings.model_copy(update={"plane": 0})
    with pytest.raises(ValueError, match="find them again"):
        finish(calibrate_job(found, other))


def test_it_can_be_left_between_all_reads():
    stack = Counted(np.stack([bead_image(4)] * 5))
    settings = CalibrationSettings(pixel_size_um=0.1, plane="sharpest")
    job = find_beads_job(stack, settings, axes="ZYX")
    next(job)
    next(job)
    job.close()
    assert len(stack.reads) == 1


def test_pixels_without_data_may_be_nan():
    image = bead_image(25, shape=(260, 260))
    image[:, :60] = np.nan
    result = calibrate([image], pixel_size_um=0.1, window=21)
    assert result.n_used >= 15
    assert result.beads["fwhm"].std() < 0.1


@pytest.mark.parametrize("known", [True, False])
def test_the_error_sees_a_pedestal(monkeypatch, known):
    """A background that is wrong under all beads alike cannot be seen from beads alone."""
    image = bead_image(25, shape=(300, 300))
    if not known:
        from napari_deepblur.calibration.beads import scene

        read = scene.background_and_noise

        def wrong(*args):
            background, noise = read(*args)
            return background - 20, noise

        monkeypatch.setattr(scene, "background_and_noise", wrong)
    result = calibrate([image], pixel_size_um=0.1, window=31)
    assert (result.error_db < -30) == known
    assert any("background is uneven" in note for note in result.notes) == (not known)
