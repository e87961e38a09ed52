"""The use case: from a request to a checked image, however it was asked for."""

import numpy as np
import pytest
import tifffile

from helpers.command_line import observed, write
from helpers.images import CANONICAL_OPTICS
from napari_deepblur import BlurEstimate, deblur, estimate_blur
from napari_deepblur.engine.concerns import Concern, ConcernKind
from napari_deepblur.engine.events import Progress, Warned, finish
from napari_deepblur.engine.request import Request, TypedOptics, open_source
from napari_deepblur.engine.restore import find_blur_job, restore_job
from napari_deepblur.errors import DeviceError, ImageError, SamplingError

OPTICS = {"numerical_aperture": 1.4, "wavelength_um": 0.52}


@pytest.fixture
def file(tmp_path):
    return write(tmp_path / "stack.tif", observed((2, 64, 72)), "ZYX", pixel_size_um=0.09)


def run(job):
    """Result of a job, and the warnings on its way."""
    told = []
    return finish(job, warn=told.append), told


def blur_of(model, **changes) -> BlurEstimate:
    fields = {"optics": CANONICAL_OPTICS, "model": str(model)} | changes
    return BlurEstimate(np.full((1, 7), 0.02, np.float32), np.full((1, 7), 0.01), **fields)


def test_a_file_and_its_array_give_the_same(file, tiny_model):
    of_file = Request(image=file, optics=OPTICS, model=str(tiny_model), residual=True)
    pixels = tifffile.imread(file)
    optics = open_source(of_file).optics
    of_array = Request(image=pixels, axes="ZYX", optics=optics, model=str(tiny_model))
    first, second = finish(restore_job(of_file)), finish(restore_job(of_array))
    np.testing.assert_array_equal(first.sharp, second.sharp)
    blur = estimate_blur(pixels, axes="ZYX", optics=optics, model=tiny_model)
    np.testing.assert_array_equal(first.blur.coefficients, blur.coefficients)
    np.testing.assert_array_equal(first.sharp, deblur(pixels, blur, axes="ZYX"))
    assert first.check is not None
    assert first.residual.shape == (2, 64, 72)
    assert second.residual is None


def test_a_request_for_files_goes_through_json(file, tiny_model):
    request = Request(image=file, optics=OPTICS, model=str(tiny_model), per="stack", device="cpu")
    again = Request.model_validate_json(request.model_dump_json())
    assert again == request
    assert again.optics == TypedOptics(**OPTICS)


def test_what_is_not_known_is_asked_for(file):
    with pytest.raises(ValueError, match="emission wavelength: give --wavelength"):
        finish(find_blur_job(Request(image=file, optics={"numerical_aperture": 1.4})))


@pytest.mark.parametrize("failing", ["check_deblurring_job", "residual_image_job"])
def test_what_fails_after_deblurring_is_a_warning(file, tiny_model, monkeypatch, failing):
    def fails(*_, **__):
        yield Progress(0, 1, "checking")
        raise DeviceError("out of memory")

    monkeypatch.setattr(f"napari_deepblur.engine.restore.{failing}", fails)
    request = Request(image=file, optics=OPTICS, model=str(tiny_model), residual=True)
    restored, told = run(restore_job(request))
    assert restored.sharp.shape == (2, 64, 72)
    assert (restored.check is None) == (failing == "check_deblurring_job")
    assert (restored.residual is None) == (failing == "residual_image_job")
    assert [text for text in told if "out of memory" in text]


@pytest.mark.parametrize("per", ["plane", "stack"])
def test_a_blank_plane_ends_nothing(tiny_model, per):
    film = np.insert(observed((2, 64, 72)), 1, 100, axis=0)
    request = Request(
        image=film, optics=CANONICAL_OPTICS, model=str(tiny_model), per=per, residual=True
    )
    restored = finish(restore_job(request))
    np.testing.assert_array_equal(restored.sharp[1], film[1])
    assert np.isfinite(restored.sharp).all()
    assert np.isnan(restored.check.residual).tolist() == [False, True, False]
    assert ConcernKind.BLANK in [concern.kind for concern in restored.check.concerns[1]]
    assert (restored.residual[1] == 0).all()


class TestPixelsOfABlur:
    def test_a_blur_is_brought_to_the_images_pixels(self, tmp_path, tiny_model):
        image = write(tmp_path / "a.tif", observed((64, 72)), pixel_size_um=0.12)
        blur = blur_of(tiny_model)
        blur.save(tmp_path / "blur.json")
        found, told = run(find_blur_job(Request(image=image, blur=tmp_path / "blur.json")))
        assert found.optics.pixel_size_um == pytest.approx(0.12)
        np.testing.assert_array_equal(found.coefficients, blur.coefficients)
        optics = CANONICAL_OPTICS.model_copy(update={"pixel_size_um": 0.12})
        same = blur_of(tiny_model, optics=optics)
        np.testing.assert_allclose(found.psf(), same.psf(), atol=1e-6)
        (text,) = told
        assert "the image's are 0.12 µm" in text

    def test_equal_pixels_leave_it_as_it_is(self, tmp_path, tiny_model):
        size = CANONICAL_OPTICS.pixel_size_um * 1.005
        image = write(tmp_path / "a.tif", observed((64, 72)), pixel_size_um=size)
        blur = blur_of(tiny_model)
        assert run(find_blur_job(Request(image=image, blur=blur))) == (blur, [])

    def test_an_image_that_says_nothing_has_the_blurs_pixels(self, tiny_model):
        blur = blur_of(tiny_model)
        assert run(find_blur_job(Request(image=observed((64, 72)), blur=blur))) == (blur, [])

    def test_a_blur_of_one_plane_serves_a_stack(self, tiny_model):
        blur = blur_of(tiny_model)
        found, _ = run(find_blur_job(Request(image=observed((3, 64, 72)), blur=blur)))
        assert (found.per, found.n_planes) == ("stack", 3)

    def test_a_blur_of_other_planes_is_refused_before_the_work(self, tiny_model):
        many = blur_of(tiny_model, n_planes=2)
        with pytest.raises(ImageError, match="estimated for 2 planes, the image has 3"):
            finish(find_blur_job(Request(image=observed((3, 64, 72)), blur=many)))

    def test_pixels_larger_than_the_blur_are_refused(self, tiny_model):
        with pytest.raises(SamplingError, match="no blur left"):
            blur_of(tiny_model).at(pixel_size_um=0.5)

    def test_a_varying_blur_keeps_its_field(self, tiny_varying_model):
        blur = blur_of(tiny_varying_model, field_shape=(96, 128))
        size = CANONICAL_OPTICS.pixel_size_um
        finer = blur.at(pixel_size_um=size / 2, plane_shape=(192, 256))
        assert finer.field_shape == (192, 256)
        with pytest.raises(ImageError, match="another field"):
            blur.at(pixel_size_um=size / 2, plane_shape=(96, 128))


class TestDoubts:
    """A result that nothing is found against has a blur that nothing was found against."""

    def kinds(self, blur):
        request = Request(image=observed((64, 72)), optics=blur.optics, blur=blur)
        restored, _ = run(restore_job(request))
        return {concern.kind for concern in restored.check.concerns[0]}

    def test_none(self, tiny_model):
        blur = blur_of(tiny_model, concerns=((),))
        assert not {ConcernKind.DOUBTED_BLUR, ConcernKind.OUTSIDE_TRAINING} & self.kinds(blur)

    def test_a_doubted_blur(self, tiny_model):
        blur = blur_of(tiny_model, concerns=((Concern.of(ConcernKind.UNLIKE),),))
        assert ConcernKind.DOUBTED_BLUR in self.kinds(blur)

    def test_pixels_outside_the_networks_range(self, tiny_model):
        optics = CANONICAL_OPTICS.model_copy(update={"pixel_size_um": 0.04})
        assert ConcernKind.OUTSIDE_TRAINING in self.kinds(blur_of(tiny_model, optics=optics))


class TestFocusSeries:
    @pytest.mark.parametrize("step", [0.0, float("nan")])
    def test_impossible_distances(self, file, tiny_model, step):
        request = Request(
            image=file, optics=OPTICS, model=str(tiny_model), focus_series=True, z_step_um=step
        )
        with pytest.raises(ValueError, match="distance between planes"):
            finish(find_blur_job(request))

    def test_a_series_that_does_not_tell_the_sign_says_so(self, file, tiny_model):
        request = Request(
            image=file, optics=OPTICS, model=str(tiny_model), focus_series=True, z_step_um=0.3
        )
        events = list(find_blur_job(request))
        assert ["sign" in event.text for event in events if isinstance(event, Warned)] == [True]


def test_pixels_that_are_not_square_are_refused(tmp_path):
    path = tmp_path / "a.ome.tif"
    metadata = {"axes": "YX", "PhysicalSizeX": 0.09, "PhysicalSizeY": 0.12}
    tifffile.imwrite(path, observed((64, 72)), ome=True, metadata=metadata)
    for optics in (OPTICS, OPTICS | {"pixel_size_um": 0.09}):
        with pytest.raises(ImageError, match=r"not square: 0\.12 µm in Y, 0\.09 µm in X"):
            open_source(Request(image=path, optics=optics))
