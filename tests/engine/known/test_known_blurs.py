"""Blurs whose PSF is known: ideal, of a PSF image, of a calibration."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import napari_deepblur as ndb
from helpers.calibrations import bead_table, calibrated
from helpers.images import CANONICAL_OPTICS, observed_scene
from napari_deepblur.engine.psf_field import psf_width
from napari_deepblur.errors import ImageError, SamplingError
from napari_deepblur.io import write_image
from napari_deepblur.operators import ZernikeFamily

FINE_UM = 0.06
LIMIT_UM = CANONICAL_OPTICS.wavelength_um / (2 * CANONICAL_OPTICS.numerical_aperture)


def pixels_of(size_um):
    return CANONICAL_OPTICS.model_copy(update={"pixel_size_um": size_um})


def point(*, size_um=FINE_UM, pad=((4, 9), (6, 3)), counts=5000.0, background=100.0):
    """Image of a point by a perfect objective, off its middle, on a background."""
    return background + counts * np.pad(ndb.ideal_blur(pixels_of(size_um)).psf(), pad)


def difference(psf, other):
    """Largest difference of two PSFs of odd sides, by the peak of the second."""
    side = min(*psf.shape, *other.shape)
    middles = [
        image[tuple(slice(n // 2 - side // 2, n // 2 + side // 2 + 1) for n in image.shape)]
        for image in (psf, other)
    ]
    return np.abs(middles[0] - middles[1]).max() / other.max()


def likeness(image, other):
    """Correlation of two images away from their borders."""
    middle = (slice(16, -16),) * 2
    return np.corrcoef(image[middle].ravel(), other[middle].ravel())[0, 1]


@pytest.fixture(scope="module")
def measured():
    result = calibrated([bead_table(), bead_table(1)]).result
    beads = result.beads.assign(peak=900.0, background=100.0, residual_db=-20.0)
    return replace(result, beads=beads, pixel_size_um=0.1)


@pytest.fixture
def blurs(measured):
    return {
        "ideal": ndb.ideal_blur(CANONICAL_OPTICS),
        "psf": ndb.blur_from_psf(point(), FINE_UM, optics=CANONICAL_OPTICS),
        "calibration": ndb.blur_from_calibration(measured, 1, optics=CANONICAL_OPTICS),
    }


def test_the_ideal_blur_is_the_unaberrated_pupil():
    blur = ndb.ideal_blur(CANONICAL_OPTICS)
    family = ZernikeFamily(cutoff=CANONICAL_OPTICS.cutoff)
    np.testing.assert_allclose(blur.psf(), family.psf(blur.coefficients_of(0)), atol=1e-7)
    assert not blur.coefficients.any()
    assert not blur.varies


def test_a_psf_image_becomes_the_psf_at_the_pixels_of_the_image():
    blur = ndb.blur_from_psf(point(), FINE_UM, optics=CANONICAL_OPTICS)
    assert difference(blur.psf(), ndb.ideal_blur(CANONICAL_OPTICS).psf()) < 1e-3


@pytest.mark.parametrize("to_um", [0.045, 0.06, 0.11])
def test_resampling_keeps_sum_middle_and_width_in_micrometres(to_um):
    blur = ndb.blur_from_psf(point(), FINE_UM, optics=pixels_of(to_um))
    psf = blur.psf()
    assert psf.shape[0] == psf.shape[1]
    assert psf.shape[0] % 2 == 1
    assert psf.sum() == pytest.approx(1, abs=1e-5)
    assert np.unravel_index(psf.argmax(), psf.shape) == (psf.shape[0] // 2, psf.shape[1] // 2)
    width_um = psf_width(ndb.ideal_blur(pixels_of(FINE_UM)).psf()) * FINE_UM
    assert psf_width(psf) * to_um == pytest.approx(width_um, rel=0.02)


@given(
    shift=st.tuples(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5)),
    counts=st.floats(1e-2, 1e4),
    background=st.floats(-1e3, 1e3),
)
@settings(deadline=None, max_examples=15)
def test_neither_place_nor_counts_nor_background_matter(shift, counts, background):
    psf = ndb.ideal_blur(pixels_of(FINE_UM)).psf()
    phases = [np.fft.fftfreq(61) * part for part in shift]
    turn = np.exp(-2j * np.pi * (phases[0][:, None] + phases[1]))
    moved = np.fft.ifft2(np.fft.fft2(np.pad(psf, 30 - psf.shape[0] // 2)) * turn).real
    image = background + counts * moved / moved.max()
    blur = ndb.blur_from_psf(image, FINE_UM, optics=CANONICAL_OPTICS)
    assert difference(blur.psf(), ndb.ideal_blur(CANONICAL_OPTICS).psf()) < 5e-3


def test_a_noisy_bead_gives_nearly_the_psf():
    rng = np.random.default_rng(0)
    image = rng.poisson(point(counts=1e5, background=20))
    blur = ndb.blur_from_psf(image, FINE_UM, optics=CANONICAL_OPTICS)
    assert difference(blur.psf(), ndb.ideal_blur(CANONICAL_OPTICS).psf()) < 0.03


def test_a_file_states_its_own_pixel_size(tmp_path):
    path = tmp_path / "bead.tif"
    write_image(path, point().astype(np.float32), "YX", pixel_size_um=FINE_UM)
    blur = ndb.blur_from_psf(path, optics=CANONICAL_OPTICS)
    assert difference(blur.psf(), ndb.ideal_blur(CANONICAL_OPTICS).psf()) < 1e-3
    assert "bead.tif" in blur.known.name


@pytest.mark.parametrize("acquisition", [0, 1])
def test_a_calibration_gives_the_psfs_of_the_acquisition(measured, acquisition):
    blur = ndb.blur_from_calibration(measured, acquisition, optics=CANONICAL_OPTICS)
    assert blur.varies
    assert blur.field_shape == measured.field_shape
    for place in [(0, 0), (40, 100), (95, 127)]:
        expected = measured.psf(place, acquisition)
        np.testing.assert_allclose(blur.psf(0, place), expected, atol=1e-5)


def test_acquisitions_differ(measured):
    first, second = (
        ndb.blur_from_calibration(measured, n, optics=CANONICAL_OPTICS).psf() for n in (0, 1)
    )
    assert np.abs(first - second).max() > 1e-3


def test_a_calibration_is_read_from_its_folder(measured, tmp_path):
    measured.save(tmp_path / "beads")
    blur = ndb.blur_from_calibration(tmp_path / "beads", optics=CANONICAL_OPTICS)
    np.testing.assert_allclose(blur.psf(), measured.psf(), atol=1e-5)
    assert "beads" in blur.known.name


@pytest.mark.parametrize("kind", ["ideal", "psf", "calibration"])
def test_saved_and_loaded_it_deblurs_the_same(blurs, kind, tmp_path):
    blur = blurs[kind]
    blur.save(tmp_path / "blur.json")
    read = ndb.load_blur(tmp_path / "blur.json")
    assert (read.known.kind, read.known.name) == (kind, blur.known.name)
    assert (read.optics, read.per, read.field_shape) == (blur.optics, "stack", blur.field_shape)
    image = np.random.default_rng(0).poisson(50, (96, 128)).astype(np.float32)
    expected = ndb.deblur(image, blur, device="cpu")
    np.testing.assert_array_equal(ndb.deblur(image, read, device="cpu"), expected)


def test_other_pixels_are_served_through_the_optics(blurs):
    moved = blurs["psf"].at(pixel_size_um=0.08)
    direct = ndb.blur_from_psf(point(), FINE_UM, optics=pixels_of(0.08))
    np.testing.assert_allclose(moved.psf(), direct.psf(), atol=1e-7)


def test_the_true_psf_gives_a_better_image_than_the_ideal_one_and_than_none():
    gamma = torch.tensor([0.14, 0.1, 0.1, 0, 0, 0, 0])  # no coma, which would move the image
    observed, sharp = observed_scene("filaments", gamma, size=160)
    rng = np.random.default_rng(0)
    image = (100 + 1000 * observed + rng.normal(0, 3, observed.shape)).astype(np.float32)
    bead = 50 + 1e4 * ZernikeFamily().psf(gamma).numpy()
    blurs = {
        "bead": ndb.blur_from_psf(bead, 0.1, optics=CANONICAL_OPTICS),
        "ideal": ndb.ideal_blur(CANONICAL_OPTICS),
    }
    found = {name: ndb.deblur(image, blur, device="cpu") for name, blur in blurs.items()}
    alike = {name: likeness(sharp, other) for name, other in (found | {"none": image}).items()}
    assert alike["bead"] > 0.9 > alike["ideal"] + 0.2
    assert alike["bead"] > alike["none"] + 0.3


def test_a_psf_image_may_be_larger_than_the_image():
    wide = point(size_um=0.1, pad=((150, 150), (150, 150)))
    observed = observed_scene("filaments", torch.zeros(7), size=160)[0][:80, :90]
    image = (100 + 1000 * observed).astype(np.float32)
    sharp = ndb.deblur(image, ndb.blur_from_psf(wide, 0.1, optics=CANONICAL_OPTICS), device="cpu")
    near = ndb.deblur(image, ndb.ideal_blur(CANONICAL_OPTICS), device="cpu")
    assert sharp.shape == image.shape
    assert likeness(sharp, near) > 0.99
    assert sharp.sum() == pytest.approx(image.sum(), rel=1e-4)


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (np.zeros((3, 21, 21)), "two axes"),
        (np.full((21, 21), np.nan), "no numbers"),
        (np.full((21, 21), 7.0), "no spot"),
        (np.random.default_rng(0).normal(0, 1, (21, 21)), "no spot"),
        (point(pad=0)[24:], "at its border"),
        (np.ones((21, 21), complex), "no numbers"),
    ],
)
def test_bad_psf_images_are_refused(image, says):
    with pytest.raises(ImageError, match=says):
        ndb.blur_from_psf(image, FINE_UM, optics=CANONICAL_OPTICS)


@pytest.mark.parametrize("size_um", [0.0, -0.1, np.nan, 5000.0])
def test_bad_pixel_sizes_are_refused(size_um):
    with pytest.raises(ImageError, match="positive number of micrometres"):
        ndb.blur_from_psf(point(), size_um, optics=CANONICAL_OPTICS)


def test_a_pixel_size_that_diffraction_forbids_is_refused():
    with pytest.raises(ImageError, match="less than diffraction allows"):
        ndb.blur_from_psf(point(), FINE_UM / 10, optics=CANONICAL_OPTICS)
    with pytest.raises(SamplingError, match="check the pixel size"):
        ndb.blur_from_psf(point(), 100 * FINE_UM, optics=CANONICAL_OPTICS).psf()


def test_no_pixel_size_is_asked_for():
    with pytest.raises(ImageError, match="give it in µm"):
        ndb.blur_from_psf(point(), optics=CANONICAL_OPTICS)


def test_too_coarse_images_are_refused():
    with pytest.raises(SamplingError, match="no blur left"):
        ndb.ideal_blur(pixels_of(0.4))


def test_a_calibration_without_optics_asks_for_them(measured):
    with pytest.raises(ValueError, match="give the optics"):
        ndb.blur_from_calibration(measured)
    with pytest.raises(IndexError, match="acquisition 2 is not one of 0 … 1"):
        ndb.blur_from_calibration(measured, 2, optics=CANONICAL_OPTICS)


def test_another_field_than_the_calibrated_one_is_refused(blurs):
    with pytest.raises(ImageError, match="field of 96 × 128"):
        ndb.deblur(np.ones((64, 64)), blurs["calibration"])


@pytest.mark.parametrize(
    "damage",
    [
        {"known": {"kind": "psf", "name": "x"}},
        {"known": {"kind": "psf", "name": "x", "family": "no base 64!"}},
        {"known": {"kind": "psf", "name": "x", "family": "AAAA"}},
        {"coefficients": [[2.0]]},
    ],
)
def test_damaged_files_are_refused(blurs, tmp_path, damage):
    path = tmp_path / "blur.json"
    blurs["psf"].save(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | damage))
    with pytest.raises(ValueError, match="is damaged"):
        ndb.load_blur(path)
