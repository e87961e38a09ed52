"""`deepblur calibrate`: files in, a folder out, one line on error."""

import json

import numpy as np
import pytest

from helpers.bead_images import bead_field
from helpers.command_line import fail, succeed, write
from napari_deepblur.operators.family_file import read_family

OPTIONS = ["--window", "25", "--n-eigen-psfs", "2"]


@pytest.fixture
def slide(tmp_path):
    return write(tmp_path / "slide.tif", bead_field().image)


@pytest.fixture
def stack(tmp_path):
    image = bead_field().image
    planes = np.stack([0.5 * image + 100, image])
    return write(tmp_path / "stack.tif", planes, "ZYX", pixel_size_um=0.2, z_step_um=0.3)


def test_a_folder_and_the_main_figures(slide, tmp_path):
    out = tmp_path / "family"
    report = tmp_path / "report.html"
    result = succeed(
        "calibrate", slide, "--pixel-size", 0.1, "--out", out, "--report", report, *OPTIONS
    )
    assert "beads used" in result.stdout
    assert "K = 2 eigen-PSFs" in result.stdout
    assert "nothing to identify" in result.stdout
    assert str(out) in result.stdout
    assert report.read_bytes() == (out / "report.html").read_bytes()
    assert read_family(out / "family.npz").pixel_size_um == 0.1
    assert "slide.tif" in report.read_text(encoding="utf-8")


def test_optics_and_planes_of_a_stack(stack, tmp_path):
    out = tmp_path / "family"
    optics = ["--na", 0.5, "--wavelength", 0.5, "--refractive-index", 1]
    result = succeed(
        "calibrate", stack, "--plane", "sharpest", "--out", out, "--json", *optics, *OPTIONS
    )
    content = json.loads(result.stdout)
    assert content["acquisitions"][0]["taken"] == "plane 1, the sharpest"
    assert content["pixel_size_um"] == pytest.approx(0.2)
    assert content["cutoff"] == pytest.approx(0.2)
    assert content["n_eigen_psfs"] == 2
    assert read_family(out / "family.npz").optics_known


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ([], "give --pixel-size"),
        (["--pixel-size", 0.1, "--na", 0.5], "give --wavelength"),
        (["--pixel-size", 0.1, "--plane", "best"], "'sharpest'"),
        (["--pixel-size", 0.1, "--z-range", "3"], "3:8"),
        (["--pixel-size", 0.1, "--window", 24], "give 25"),
        (["--pixel-size", 0], "positive number|pixel_size_um|greater than 0"),
    ],
)
def test_options_that_cannot_be(slide, tmp_path, options, says):
    import re

    line = fail("calibrate", slide, "--out", tmp_path / "family", *options)
    assert re.search(says, line)
    assert not (tmp_path / "family").exists()


def test_images_that_cannot_be(slide, stack, tmp_path):
    out = tmp_path / "family"
    assert "which plane" in fail("calibrate", stack, "--out", out)
    empty = write(tmp_path / "empty.tif", np.random.default_rng(0).normal(9, 1, (96, 96)))
    line = fail("calibrate", slide, empty, "--pixel-size", 0.1, "--out", out)
    assert "320 × 320 pixels, empty.tif is 96 × 96" in line
    assert "no beads found" in fail("calibrate", empty, "--pixel-size", 0.1, "--out", out)
    other = write(tmp_path / "other.tif", bead_field().image, pixel_size_um=0.1)
    assert "pixel sizes differ" in fail("calibrate", other, stack, "--out", out)
    assert not out.exists()


def test_nothing_is_overwritten(slide, tmp_path, monkeypatch):
    def work(*_args, **_kwargs):
        pytest.fail("the computation began")

    monkeypatch.setattr("napari_deepblur.engine.calibrate.calibrate_job", work)
    folder = tmp_path / "family"
    folder.mkdir()
    (folder / "beads.csv").write_text("precious")
    line = fail("calibrate", slide, "--pixel-size", 0.1, "--out", folder)
    assert "not empty" in line
    assert "--overwrite" in line
    report = folder / "beads.csv"
    line = fail(
        "calibrate", slide, "--pixel-size", 0.1, "--out", tmp_path / "new", "--report", report
    )
    assert "exists" in line
    assert report.read_text() == "precious"


def test_corrected_beads_and_inflation(slide, tmp_path):
    """Python, the dock and the command line offer the same."""
    table = tmp_path / "mine.csv"
    rows = [f"{y},{x}" for y, x in bead_field().positions[:12]]
    table.write_text("y,x\n" + "\n".join(rows))
    out = tmp_path / "family"
    given = ["--positions", table, "--inflation", 1.5, "--pixel-size", 0.1]
    content = json.loads(succeed("calibrate", slide, "--out", out, "--json", *given).stdout)
    assert content["n_beads"] == 12
    assert content["settings"]["inflation"] == 1.5
    used = content["n_used"]
    given[1] = out / "beads.csv"
    again = json.loads(
        succeed("calibrate", slide, "--out", tmp_path / "again", "--json", *given).stdout
    )
    assert again["n_beads"] == again["n_used"] == used
    table.write_text("a,b\n1,2\n")
    line = fail("calibrate", slide, "--out", tmp_path / "no", "--positions", table, *given[2:])
    assert "columns y and x" in line
