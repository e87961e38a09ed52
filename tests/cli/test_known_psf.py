"""Deblurring with a PSF that is known, at the command line."""

import json
from dataclasses import replace

import numpy as np
import pytest

import napari_deepblur as ndb
from helpers.calibrations import bead_table, calibrated
from helpers.command_line import OPTICS, fail, observed, succeed, write
from helpers.images import CANONICAL_OPTICS
from napari_deepblur.io import read_image

MICROSCOPE = ndb.Optics(numerical_aperture=1.4, wavelength_um=0.52, pixel_size_um=0.09)
CPU = ("--device", "cpu")


def bead():
    return (20 + 1e4 * ndb.ideal_blur(MICROSCOPE).psf()).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Calibration of the field of `plane`, that knows its optics."""
    result = calibrated([bead_table(), bead_table(1)], (96, 80)).result
    beads = result.beads.assign(peak=900.0, background=100.0, residual_db=-20.0)
    path = tmp_path_factory.mktemp("calibrations") / "beads"
    replace(result, beads=beads, pixel_size_um=0.1, optics=CANONICAL_OPTICS).save(path)
    return path


def pixels(path):
    return np.asarray(read_image(path).data)


def test_ideal_is_what_python_gives(plane, tmp_path):
    out = tmp_path / "sharp.tif"
    result = succeed("deblur", plane, "--ideal", *OPTICS, "--out", out, *CPU)
    assert "ideal PSF" in result.stdout
    expected = ndb.deblur(pixels(plane), ndb.ideal_blur(MICROSCOPE), device="cpu")
    np.testing.assert_array_equal(pixels(out), expected)


def test_psf_image_is_what_python_gives(plane, tmp_path):
    psf, out = write(tmp_path / "bead.tif", bead()), tmp_path / "sharp.tif"
    known = ("--psf", psf, "--psf-pixel-size", 0.09)
    content = json.loads(
        succeed("deblur", plane, *known, *OPTICS, "--out", out, *CPU, "--json").stdout
    )
    assert content["blur"]["known"]["kind"] == "psf"
    assert "bead.tif" in content["blur"]["known"]["name"]
    blur = ndb.blur_from_psf(bead(), 0.09, optics=MICROSCOPE)
    np.testing.assert_array_equal(pixels(out), ndb.deblur(pixels(plane), blur, device="cpu"))


def test_a_calibration_says_what_the_image_does_not(plane, folder, tmp_path):
    out = tmp_path / "sharp.tif"
    known = ("--calibration", folder, "--acquisition", 1)
    succeed("deblur", plane, *known, "--out", out, *CPU)
    blur = ndb.blur_from_calibration(folder, 1)
    np.testing.assert_array_equal(pixels(out), ndb.deblur(pixels(plane), blur, device="cpu"))


def test_one_known_psf_serves_a_stack(stack, tmp_path):
    out = tmp_path / "sharp.tif"
    succeed("deblur", stack, "--ideal", *OPTICS[:4], "--out", out, *CPU)
    assert pixels(out).shape == (2, 64, 72)


def test_the_ideal_3d_psf_is_what_python_gives(tmp_path):
    pixels_of_stack = observed((5, 64, 72))
    image, out = write(tmp_path / "stack.tif", pixels_of_stack, "ZYX"), tmp_path / "sharp.tif"
    options = ("--ideal", "--per", "volume", "--z-step", 0.3, *OPTICS, "--out", out, "--json")
    content = json.loads(succeed("deblur", image, *options).stdout)
    assert content["blur"]["known"] == "ideal 3-D PSF"
    blur = ndb.ideal_blur(MICROSCOPE, per="volume", z_step_um=0.3)
    np.testing.assert_allclose(pixels(out), ndb.deblur(pixels(image), blur), rtol=1e-4)


def test_a_bead_stack_is_a_3d_psf(tmp_path):
    image = write(tmp_path / "stack.tif", observed((5, 64, 72)), "ZYX", z_step_um=0.3)
    optics = MICROSCOPE.model_copy(update={"pixel_size_um": 0.1})
    computed = ndb.ideal_blur(optics, per="volume", z_step_um=0.2).psf_3d((21, 65, 65))
    psf = write(tmp_path / "bead.tif", (20 + 1e5 * computed).astype(np.float32), "ZYX")
    sizes = ("--psf-pixel-size", 0.1, "--psf-z-step", 0.2)
    known = ("--psf", psf, *sizes, "--per", "volume", *OPTICS)
    content = json.loads(
        succeed("deblur", image, *known, "--out", tmp_path / "sharp.tif", "--json").stdout
    )
    assert content["blur"]["known"] == "bead.tif, voxels of 0.2 × 0.1 µm"
    assert content["blur"]["z_step_um"] == pytest.approx(0.3)


def test_an_image_of_another_field_is_refused(folder, tmp_path):
    other = write(tmp_path / "other.tif", observed((64, 64)))
    line = fail("deblur", other, "--calibration", folder, "--out", tmp_path / "x.tif", *CPU)
    assert "field of 96 × 80" in line


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--ideal", "--psf", "bead.tif"), "give one of them"),
        (("--psf-pixel-size", 0.1), "give --psf too"),
        (("--acquisition", 1), "give --calibration too"),
        (("--ideal", "--blur", "blur.json"), "choose one of them"),
        (("--psf-z-step", 0.1), "give --psf too"),
        (("--ideal", "--per", "volume"), "--z-step"),
        (("--calibration", "beads", "--per", "volume"), "z-stack of a bead"),
        (("--psf", "missing.tif"), "missing.tif"),
        (("--calibration", "nowhere"), "no folder nowhere"),
    ],
)
def test_contradictions_are_refused(plane, tmp_path, options, says):
    microscope = () if "--blur" in options else OPTICS
    assert says in fail("deblur", plane, *options, *microscope, "--out", tmp_path / "x.tif")


def test_the_optics_are_asked_for(plane, tmp_path):
    assert "--na" in fail("deblur", plane, "--ideal", "--out", tmp_path / "x.tif")
    psf = write(tmp_path / "bead.tif", bead())
    line = fail("deblur", plane, "--psf", psf, *OPTICS, "--out", tmp_path / "x.tif")
    assert "--psf-pixel-size" in line
