"""What the commands print and write of a blur that varies over the field."""

import json

import numpy as np
import pytest

from helpers.command_line import OPTICS, fail, observed, succeed, write
from napari_deepblur import load_blur
from napari_deepblur.io import read_image


@pytest.fixture(scope="module")
def estimated(tiny_varying_model, tmp_path_factory):
    """Folder with a stack of two planes, its blur and its PSF mosaic; and what was printed."""
    folder = tmp_path_factory.mktemp("varying")
    stack = write(folder / "stack.tif", observed((2, 144, 160)), "ZYX", pixel_size_um=0.09)
    out = ["--out", folder / "blur.json", "--psf", folder / "psf.tif"]
    result = succeed("estimate", stack, *OPTICS, "--model", tiny_varying_model, *out)
    return folder, result.stdout


def test_the_width_at_the_sharpest_and_the_widest_place_is_printed(estimated):
    folder, printed = estimated
    blur = load_blur(folder / "blur.json")
    assert blur.varies
    assert blur.field_shape == (144, 160)
    for plane in range(2):
        (line,) = [row for row in printed.splitlines() if row.startswith(f"plane {plane}: ")]
        sharpest, widest = (float(part.split(" µm")[0].split()[-1]) for part in line.split("…"))
        assert 0 < sharpest <= widest
    assert "no meaning of their own" in printed


def test_the_mosaic_of_psfs_lies_on_the_images_grid(estimated):
    folder, _ = estimated
    mosaic = read_image(folder / "psf.tif")
    assert mosaic.shape == (2, 144, 160)
    assert mosaic.metadata.pixel_size_um == pytest.approx(0.09)
    assert np.asarray(mosaic.data).max() > 0


def test_machines_get_a_row_for_each_plane(estimated, tiny_varying_model):
    folder, _ = estimated
    printed = succeed(
        "estimate", folder / "stack.tif", *OPTICS, "--model", tiny_varying_model, "--json"
    ).stdout
    content = json.loads(printed)
    assert content["field_shape"] == [144, 160]
    assert len(content["width_um_sharpest"]) == 2
    sharpest, widest = content["width_um_sharpest"], content["width_um_widest"]
    assert all(low <= high for low, high in zip(sharpest, widest, strict=True))


def test_many_planes_are_summarised(tiny_varying_model, tmp_path):
    stack = write(tmp_path / "stack.tif", observed((9, 130, 130)), "ZYX")
    printed = succeed("estimate", stack, *OPTICS, "--model", tiny_varying_model).stdout
    assert "PSF of 9 planes" in printed
    assert "min … max" in printed
    assert "plane 0: PSF" not in printed


def test_the_blur_serves_its_own_field_only(estimated, tmp_path):
    folder, _ = estimated
    given = ["--blur", folder / "blur.json", "--out", tmp_path / "sharp.tif"]
    succeed("deblur", folder / "stack.tif", *given)
    assert read_image(tmp_path / "sharp.tif").shape == (2, 144, 160)
    crop = write(tmp_path / "crop.tif", observed((2, 144, 144)), "ZYX", pixel_size_um=0.09)
    line = fail("deblur", crop, "--blur", folder / "blur.json", "--out", tmp_path / "no.tif")
    assert "deblur the whole field" in line
    assert not (tmp_path / "no.tif").exists()
