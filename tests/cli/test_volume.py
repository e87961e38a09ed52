"""3-D blurs at the command line: a z-stack in, its PSF and a sharper stack out."""

import json

import numpy as np
import pytest

import napari_deepblur as ndb
from helpers.command_line import fail, observed, run, succeed, write
from helpers.stacks import GAMMA, KNOWN, OPTICS, Z_STEP_UM, blurred, photographed, points
from napari_deepblur.engine.concerns import Concern, ConcernKind
from napari_deepblur.io import read_image

MICROSCOPE = ["--na", "1.2", "--wavelength", "0.52", "--refractive-index", "1.333"]
VOLUME = [*MICROSCOPE, "--per", "volume"]


@pytest.fixture(scope="module")
def pixels():
    return photographed(blurred(points((14, 96, 96)), margin=(3, 16, 16)))


@pytest.fixture
def stack(tmp_path, pixels):
    sizes = {"pixel_size_um": OPTICS.pixel_size_um, "z_step_um": Z_STEP_UM}
    return write(tmp_path / "stack.tif", pixels, "ZYX", **sizes)


@pytest.fixture
def known_blur(tmp_path):
    """Blur file with the true coefficients."""
    std = np.full((1, len(GAMMA)), 0.01, np.float32)
    doubt = Concern.of(ConcernKind.FEW_PLANES, n=4)
    ndb.VolumeBlurEstimate(GAMMA[None], std, KNOWN, ((doubt,),)).save(tmp_path / "known.json")
    return tmp_path / "known.json"


@pytest.fixture
def asked(monkeypatch):
    """What the estimate of a volume was asked for, which answers with the true coefficients."""
    told = {}

    def answers(_, **known):
        told.update(known)
        yield from ()
        return ndb.VolumeBlurEstimate(GAMMA[None], np.full((1, len(GAMMA)), 0.01), KNOWN)

    monkeypatch.setattr("napari_deepblur.engine.restore.estimate_volume_blur_job", answers)
    return told


def test_estimate_writes_blur_and_psf(stack, tmp_path):
    blur, psf = tmp_path / "blur.json", tmp_path / "psf.tif"
    arguments = ("--out", blur, "--psf", psf, "--json")
    content = json.loads(succeed("estimate", stack, *VOLUME, *arguments).stdout)
    assert content["per"] == "volume"
    assert content["z_step_um"] == pytest.approx(Z_STEP_UM)
    assert len(content["coefficients"][0]) == len(content["coefficient_names"]) == len(GAMMA)
    found = ndb.load_blur(blur)
    np.testing.assert_allclose(found.coefficients, content["coefficients"], atol=1e-6)
    written = read_image(psf)
    assert (written.axes, written.metadata.z_step_um) == ("ZYX", pytest.approx(Z_STEP_UM))
    np.testing.assert_allclose(written.data, found.psf_3d(), atol=1e-6)


def test_coefficients_have_their_interval(stack, asked):
    result = succeed("estimate", stack, *VOLUME)
    assert "Z5 oblique astigmatism" in result.stdout
    assert "+0.080 ± 0.020" in result.stdout
    assert "z step 0.3 µm, widefield" in result.stdout


def test_a_bead_tells_the_width_too(tmp_path):
    sharp = np.zeros((18, 80, 80), np.float32)
    sharp[9, 40, 40] = 1
    pixels = photographed(blurred(sharp, margin=(3, 8, 8)), photons=1000)
    sizes = {"pixel_size_um": OPTICS.pixel_size_um, "z_step_um": Z_STEP_UM}
    bead = write(tmp_path / "bead.tif", pixels, "ZYX", **sizes)
    content = json.loads(succeed("estimate", bead, *VOLUME, "--bead", "--json").stdout)
    np.testing.assert_allclose(content["coefficients"][0], GAMMA, atol=0.02)
    assert content["broadening_px"] == pytest.approx(KNOWN.broadening_px, abs=0.15)


def test_the_z_step_is_the_files_unless_it_is_given(stack, asked):
    succeed("estimate", stack, *VOLUME)
    assert asked["z_step_um"] == pytest.approx(Z_STEP_UM)
    succeed("estimate", stack, *VOLUME, "--z-step", 0.4, "--light-sheet-fwhm", 3)
    assert (asked["z_step_um"], asked["light_sheet_fwhm_um"]) == (0.4, 3)


@pytest.mark.usefixtures("asked")
def test_halves_are_compared(pixels, tmp_path, monkeypatch):
    sizes = {"pixel_size_um": OPTICS.pixel_size_um, "z_step_um": Z_STEP_UM}
    stack = write(tmp_path / "deep.tif", np.tile(pixels, (2, 1, 1)), "ZYX", **sizes)
    steps = []

    def job(image, **given):
        steps.append((image.shape[0], given["z_step_um"]))
        yield from ()
        shift = np.float32(0.03 * (len(steps) - 1))
        return ndb.VolumeBlurEstimate(GAMMA[None] + shift, np.full((1, len(GAMMA)), 0.01), KNOWN)

    monkeypatch.setattr("napari_deepblur.engine.volume.halves.estimate_volume_blur_job", job)
    printed = succeed("estimate", stack, *VOLUME, "--halves").stdout
    assert "the halves differ by up to 0.030 waves: they do not agree" in printed
    assert steps == [(len(pixels), pytest.approx(2 * Z_STEP_UM))] * 2


def test_halves_are_those_of_volumes(stack):
    assert "--per volume" in fail("estimate", stack, *MICROSCOPE, "--halves")


def test_deblur_with_a_blur_file(stack, pixels, known_blur, tmp_path):
    out = tmp_path / "sharp.tif"
    result = succeed("deblur", stack, "--blur", known_blur, "--out", out)
    sharp = read_image(out)
    assert (sharp.axes, sharp.metadata.z_step_um) == ("ZYX", pytest.approx(Z_STEP_UM))
    expected = ndb.deblur(pixels, ndb.load_blur(known_blur))
    np.testing.assert_allclose(sharp.data, expected, rtol=1e-4, atol=1e-2)
    assert "few planes" in result.stderr
    assert "3-D blur" in result.stdout


def test_a_deblurred_stack_is_checked_and_its_residual_written(stack, known_blur, tmp_path):
    residual = tmp_path / "residual.tif"
    arguments = ("--out", tmp_path / "sharp.tif", "--residual", residual, "--json")
    check = json.loads(succeed("deblur", stack, "--blur", known_blur, *arguments).stdout)["check"]
    written = read_image(residual)
    assert written.axes == "ZYX"
    assert len(check["residual"]) == len(written.data)
    assert float(np.square(written.data).mean()) ** 0.5 == pytest.approx(1, abs=0.4)


def test_a_blur_goes_to_stacks_of_other_voxels(pixels, known_blur, tmp_path):
    stack = write(tmp_path / "other.tif", pixels, "ZYX", pixel_size_um=0.12, z_step_um=0.25)
    arguments = ("--blur", known_blur, "--out", tmp_path / "sharp.tif", "--json")
    result = succeed("deblur", stack, *arguments)
    assert "0.3 × 0.1 × 0.1 µm" in result.stderr
    assert "0.25 × 0.12 × 0.12 µm" in result.stderr
    blur = json.loads(result.stdout)["blur"]
    assert (blur["z_step_um"], blur["optics"]["pixel_size_um"]) == (0.25, 0.12)
    np.testing.assert_allclose(blur["coefficients"], GAMMA[None], atol=1e-6)


class TestRefusals:
    def test_unknown_z_step(self, tmp_path, pixels):
        path = write(tmp_path / "a.tif", pixels, "ZYX", pixel_size_um=0.1)
        assert "give it in µm with --z-step" in fail("estimate", path, *VOLUME)

    @pytest.mark.parametrize("step", ["0", "-0.3", "nan"])
    def test_impossible_z_step(self, stack, step):
        assert "z_step_um" in fail("estimate", stack, *VOLUME, "--z-step", step)

    def test_a_film_is_no_volume(self, tmp_path):
        film = write(tmp_path / "film.tif", observed((6, 64, 64)), "TYX", pixel_size_um=0.1)
        assert "z-stack" in fail("estimate", film, *VOLUME, "--z-step", 0.3)

    @pytest.mark.parametrize(
        "option", [("--focus-series",), ("--model", "widefield-zernike")], ids=lambda o: o[0]
    )
    def test_options_of_planes(self, stack, option):
        assert option[0] in fail("estimate", stack, *VOLUME, *option)

    def test_a_bead_of_planes(self, stack):
        assert "--per volume" in fail("estimate", stack, *MICROSCOPE, "--bead")

    def test_a_light_sheet_of_planes(self, stack):
        line = fail("estimate", stack, *MICROSCOPE, "--light-sheet-fwhm", 3)
        assert "--per volume" in line

    def test_a_blur_file_of_another_number_of_volumes(self, stack, known_blur, tmp_path):
        blur = ndb.load_blur(known_blur)
        two = np.repeat(blur.coefficients, 2, 0)
        ndb.VolumeBlurEstimate(two, two * 0, KNOWN).save(tmp_path / "two.json")
        line = fail("deblur", stack, "--blur", tmp_path / "two.json", "--out", tmp_path / "a.tif")
        assert "2 volumes" in line

    def test_a_word_that_is_no_scope(self, stack):
        assert run("estimate", stack, *MICROSCOPE, "--per", "voxel").exit_code == 2
