"""A blur in the light of another channel: lengths stay, numbers of wavelengths do not."""

import numpy as np
import pytest

from napari_deepblur import BlurEstimate, Optics, VolumeBlurEstimate, ideal_blur, load_blur
from napari_deepblur.engine.axes import Planes
from napari_deepblur.engine.events import finish
from napari_deepblur.engine.given_blur import in_other_light
from napari_deepblur.engine.models import load_model
from napari_deepblur.engine.request import Request
from napari_deepblur.engine.restore import find_blur_job
from napari_deepblur.engine.volume.stack_optics import StackOptics
from napari_deepblur.errors import ImageError, SamplingError
from napari_deepblur.operators import ZernikeFamily
from napari_deepblur.optics.zernike import zernike

BLUE, RED = 0.461, 0.665
OPTICS = Optics(numerical_aperture=1.4, wavelength_um=RED, pixel_size_um=0.08)
#: Of the model `widefield`: defocus to spherical, and the extra blur.
GAMMA = np.array([[0.08, -0.05, 0.1, 0.02, -0.07, 0.12, 0.03, -0.04, 0.6]], np.float32)


@pytest.fixture
def blur() -> BlurEstimate:
    return BlurEstimate(GAMMA, GAMMA**2, OPTICS, "widefield", source="red")


def pupil_psf(noll, waves, optics, n=512):
    """|F(pupil)|² on a grid of its own, by NumPy: a wavefront in waves on a disc."""
    f = np.fft.fftfreq(n)
    y, x = np.meshgrid(f, f, indexing="ij")
    rho, theta = np.hypot(y, x) / optics.cutoff, np.arctan2(y, x)
    inside = rho <= 1
    phase = sum(
        c * zernike(j, np.where(inside, rho, 0), theta) for j, c in zip(noll, waves, strict=True)
    )
    psf = np.abs(np.fft.ifft2(inside * np.exp(2j * np.pi * phase))) ** 2
    return np.fft.fftshift(psf / psf.sum())


def test_the_wavefront_in_nm_stays(tiny_model):
    blur = BlurEstimate(GAMMA[:, :7], GAMMA[:, :7], OPTICS, str(tiny_model))
    moved = blur.at(wavelength_um=BLUE)
    np.testing.assert_allclose(moved.coefficients * BLUE, blur.coefficients * RED, rtol=1e-6)
    np.testing.assert_allclose(moved.std * BLUE, blur.std * RED, rtol=1e-6)
    # The same plate of glass, of a thickness in µm, in blue light.
    micrometres = GAMMA[0, :7].astype(float) * RED
    expected = pupil_psf(range(4, 11), micrometres / BLUE, moved.optics)
    psf = moved.psf()
    half = psf.shape[0] // 2
    cut = expected[256 - half : 257 + half, 256 - half : 257 + half]
    assert np.abs(psf - cut / cut.sum()).max() < 0.03 * cut.max()
    # In waves as they were, the PSF would be clearly another one.
    kept = ZernikeFamily(cutoff=moved.optics.cutoff).psf(blur.coefficients_of(0)).numpy()
    assert np.abs(kept - cut / cut.sum()).max() > 0.1 * cut.max()


def test_the_extra_blur_stays_as_wide_in_micrometres(blur):
    def width_um(one: BlurEstimate) -> float:
        """Of the Gaussian, from the transfer function with it and without."""
        bare = one.coefficients.copy()
        bare[0, -1] = 0
        with_it = np.fft.fft2(one.psf())
        without = np.fft.fft2(BlurEstimate(bare, bare, one.optics, one.model).psf())
        frequency = 5 / len(with_it) / one.optics.pixel_size_um
        ratio = abs(with_it[0, 5]) / abs(without[0, 5])
        return float(np.sqrt(-np.log(ratio) / 2) / (np.pi * frequency))

    expected = 0.6 * RED / (4 * 1.4)
    assert width_um(blur) == pytest.approx(expected, rel=0.03)
    assert width_um(blur.at(wavelength_um=BLUE)) == pytest.approx(expected, rel=0.03)


def test_there_and_back(blur):
    back = blur.at(wavelength_um=BLUE, pixel_size_um=0.06).at(wavelength_um=RED, pixel_size_um=0.08)
    np.testing.assert_allclose(back.coefficients, blur.coefficients, rtol=1e-6)
    assert back.optics == blur.optics
    assert in_other_light(back) == ""


def test_nearly_the_same_is_the_same(blur):
    assert blur.at(wavelength_um=RED * 1.005) is blur
    assert blur.at() is blur


def test_it_survives_its_file_beyond_the_limits_of_the_model(blur, tmp_path):
    limits = load_model("widefield").family.admissible_set.high
    moved = blur.at(wavelength_um=BLUE)
    assert (np.abs(moved.coefficients[0]) > limits.numpy()).any()
    moved.save(tmp_path / "blue.json")
    read = load_blur(tmp_path / "blue.json")
    np.testing.assert_allclose(read.coefficients, moved.coefficients, atol=1e-6)
    assert (read.source, read.read_at_um) == ("red", RED)
    assert in_other_light(read) == "its aberrations, the same in nm, are 1.44 times as many waves"


def test_limits_still_hold_for_what_was_read(blur, tmp_path):
    text = "holds coefficients that no blur of model"
    stronger = BlurEstimate(2 * GAMMA, GAMMA**2, OPTICS, "widefield").at(wavelength_um=BLUE)
    stronger.save(tmp_path / "a.json")
    with pytest.raises(ValueError, match=text):
        load_blur(tmp_path / "a.json")


def test_a_channel_whose_pixels_are_too_coarse_is_refused(blur):
    with pytest.raises(SamplingError, match="no blur left"):
        blur.at(wavelength_um=0.4, pixel_size_um=0.16)


def test_a_blur_without_a_pupil_is_scaled_as_a_whole(tiny_varying_model):
    gamma = load_model(tiny_varying_model).family.admissible_set.sample(1, seed=0).numpy()
    blur = BlurEstimate(gamma, gamma, OPTICS, str(tiny_varying_model), field_shape=(64, 64))
    moved = blur.at(wavelength_um=BLUE)
    np.testing.assert_array_equal(moved.coefficients, gamma)
    # Half the wavelength with half the pixels is the same picture.
    half = blur.at(wavelength_um=RED / 2, pixel_size_um=0.04, plane_shape=(128, 128))
    np.testing.assert_allclose(half.psf(), blur.psf(), atol=1e-6)
    assert in_other_light(moved) == "its PSF was made 0.69 times as wide"


def test_the_ideal_psf_is_that_of_the_other_light():
    moved = ideal_blur(OPTICS).at(wavelength_um=BLUE)
    np.testing.assert_allclose(moved.psf(), ideal_blur(moved.optics).psf(), atol=1e-6)


def test_a_volume(tmp_path):
    known = StackOptics(OPTICS, z_step_um=0.2)
    rows = np.linspace(-0.1, 0.1, 24, dtype=np.float32).reshape(2, 12)
    blur = VolumeBlurEstimate(rows, np.abs(rows), known, source="red")
    moved = blur.at(wavelength_um=BLUE, pixel_size_um=0.04)
    np.testing.assert_allclose(moved.coefficients * BLUE, rows * RED, rtol=1e-6)
    # The broadening is a length, too.
    assert moved.stack_optics.broadening_px == pytest.approx(2 * known.broadening_px)
    assert moved.stack_optics.z_step_um == 0.2
    moved.save(tmp_path / "blue.json")
    read = load_blur(tmp_path / "blue.json")
    assert (read.source, read.read_at_um) == ("red", RED)
    np.testing.assert_array_equal(blur.only(1).coefficients, rows[1:])
    with pytest.raises(IndexError, match="volume 2 is not one of"):
        blur.only(2)


class TestPlanes:
    def many(self, model) -> BlurEstimate:
        rows = np.arange(21, dtype=np.float32).reshape(3, 7) / 200
        return BlurEstimate(rows, rows, OPTICS, str(model), n_planes=3)

    def test_one_of_them_for_all(self, tiny_model):
        one = self.many(tiny_model).only(1)
        fitted = one.for_planes(Planes.of(np.zeros((5, 64, 64)), "ZYX"))
        assert (fitted.per, fitted.n_planes) == ("stack", 5)
        np.testing.assert_array_equal(
            fitted.coefficients_of(4), self.many(tiny_model).coefficients[1]
        )

    def test_those_of_a_stack_serve_each_time_point(self, tiny_model):
        fitted = self.many(tiny_model).for_planes(Planes.of(np.zeros((2, 3, 64, 64)), "TZYX"))
        assert fitted.n_planes == 6
        for plane in range(6):
            np.testing.assert_array_equal(
                fitted.coefficients_of(plane), self.many(tiny_model).coefficients[plane % 3]
            )

    def test_others_are_refused(self, tiny_model):
        with pytest.raises(ImageError, match="estimated for 3 planes, the image has 6"):
            self.many(tiny_model).for_planes(Planes.of(np.zeros((3, 2, 64, 64)), "TZYX"))


def test_a_request_says_what_it_changes(blur, tmp_path):
    told = []
    blur.save(tmp_path / "red.json")
    optics = {"numerical_aperture": 1.2, "wavelength_um": BLUE, "pixel_size_um": 0.08}
    request = Request(
        image=np.zeros((2, 64, 64)), axes="ZYX", optics=optics, blur=tmp_path / "red.json"
    )
    found = finish(find_blur_job(request), warn=told.append)
    assert found.optics.numerical_aperture == 1.4
    assert found.optics.wavelength_um == BLUE
    light, objective = told
    assert light.startswith("the blur was read at 0.665 µm, the image was taken at 0.461 µm: its ")
    assert "NA 1.4, the image's has 1.2: a blur serves images of the same objective" in objective
