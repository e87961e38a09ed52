"""A blur file for other channels and other stacks, at the command line."""

import json

import numpy as np
import pytest
import tifffile

from helpers.command_line import OPTICS, fail, observed, succeed, write
from napari_deepblur import load_blur


@pytest.fixture
def two_colours(tmp_path):
    """A file of two channels that states their wavelengths."""
    path, channels = tmp_path / "two.ome.tif", [{"Name": "far red"}, {"Name": "blue"}]
    told = {
        "Name": [one["Name"] for one in channels],
        "EmissionWavelength": [665.0, 461.0],
        "EmissionWavelengthUnit": ["nm", "nm"],
    }
    tifffile.imwrite(
        path,
        observed((2, 64, 72)),
        metadata={
            "axes": "CYX",
            "Channel": told,
            "PhysicalSizeX": 0.07,
            "PhysicalSizeXUnit": "µm",
            "PhysicalSizeY": 0.07,
            "PhysicalSizeYUnit": "µm",
        },
    )
    return path


@pytest.fixture
def far_red(two_colours, tmp_path, tiny_model):
    """The blur of its first channel."""
    out = tmp_path / "far-red.json"
    options = ["--na", "1.4", "--channel", "0", "--model", tiny_model]
    succeed("estimate", two_colours, *options, "--out", out)
    return out


def test_the_other_channel_gets_the_pupil_in_its_own_light(two_colours, far_red, tmp_path):
    assert load_blur(far_red).source == "two.ome.tif, channel 0"
    given = ["--blur", far_red, "--channel", "1", "--out", tmp_path / "sharp.ome.tif"]
    result = succeed("deblur", two_colours, *given, "--json")
    told = json.loads(result.stdout)["blur"]
    assert (told["optics"]["wavelength_um"], told["read_at_um"]) == (0.461, 0.665)
    assert told["source"] == "two.ome.tif, channel 0"
    expected = load_blur(far_red).coefficients * 0.665 / 0.461
    np.testing.assert_allclose(told["coefficients"], expected, rtol=1e-4)
    assert "the image was taken at 0.461 µm: its aberrations, the same in nm" in result.stderr


def test_a_wavelength_that_is_typed_counts(two_colours, far_red, tmp_path):
    given = ["--blur", far_red, "--channel", "1", "--wavelength", "0.665"]
    result = succeed("deblur", two_colours, *given, "--out", tmp_path / "a.tif", "--json")
    assert json.loads(result.stdout)["blur"]["read_at_um"] is None


def test_one_plane_of_a_blur_serves_another_stack(tmp_path, tiny_model):
    stack = write(tmp_path / "stack.tif", observed((3, 64, 72)), "ZYX")
    other = write(tmp_path / "other.tif", observed((2, 64, 72), seed=1), "ZYX")
    blur, out = tmp_path / "blur.json", tmp_path / "sharp.tif"
    succeed("estimate", stack, *OPTICS, "--model", tiny_model, "--out", blur)
    assert "3 planes, the image has 2" in fail("deblur", other, "--blur", blur, "--out", out)
    given = ["--blur", blur, "--blur-plane", "1", "--out", out, "--json"]
    told = json.loads(succeed("deblur", other, *given).stdout)["blur"]
    np.testing.assert_allclose(told["coefficients"], load_blur(blur).coefficients[1:2], rtol=1e-4)
    line = fail("deblur", other, *OPTICS, "--blur-plane", "1", "--out", tmp_path / "b.tif")
    assert "give --blur too" in line


def test_the_objective_is_that_of_the_blur(two_colours, far_red, tmp_path):
    line = fail(
        "deblur", two_colours, "--blur", far_red, "--na", "1.2", "--out", tmp_path / "a.tif"
    )
    assert "the blur file knows the objective" in line
