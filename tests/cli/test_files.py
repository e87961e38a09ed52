"""Files from elsewhere on the command line: what they hold, say and lack."""

import json
import os

import numpy as np
import pytest
import tifffile
import zarr

from helpers.command_line import OPTICS, fail, observed, run, succeed
from napari_deepblur.io import Channel, ImageMetadata, Position, read_image, write_image

STATED = ImageMetadata(
    pixel_sides_um=(0.09, 0.09),
    z_step_um=0.3,
    time_step_s=2.5,
    position=Position(z=1.5, y=20, x=30),
    channels=(
        Channel(name="GFP", wavelength_um=0.52, colour=(0, 255, 0)),
        Channel(name="mCherry", wavelength_um=0.61, colour=(255, 0, 0)),
    ),
    numerical_aperture=1.4,
    refractive_index=1.518,
    name="cell",
)


@pytest.fixture
def several(tmp_path):
    path = tmp_path / "several.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as tiff:
        for name, shape in (("A", (64, 72)), ("B", (70, 66))):
            fields = {"axes": "YX", "Name": name, "PhysicalSizeX": 0.09, "PhysicalSizeY": 0.09}
            tiff.write(observed(shape), metadata=fields)
    return path


def test_images_of_a_file_are_listed(several):
    result = succeed("info", several)
    assert "holds 2 images: number 0 is read" in result.stderr
    assert "--series 1" in result.stdout
    assert "YX 70 × 66 float32 'B'" in result.stdout
    content = json.loads(succeed("info", several, "--series", 1, "--json").stdout)
    assert content["name"] == "B"
    assert [image["name"] for image in content["images"]] == ["A", "B"]


def test_an_image_of_a_file_is_chosen(several, tmp_path):
    out = tmp_path / "sharp.ome.tif"
    result = succeed("deblur", several, *OPTICS, "--series", 1, "--out", out)
    assert "holds" not in result.stderr
    assert read_image(out).shape == (70, 66)
    assert "holds 2" in fail("deblur", several, *OPTICS, "--series", 2, "--out", tmp_path / "b.tif")


@pytest.mark.parametrize("ending", [".ome.tif", ".ome.zarr"])
@pytest.mark.parametrize("source", [".ome.tif", ".ome.zarr"])
def test_what_a_file_states_is_in_the_deblurred_file(tmp_path, source, ending):
    path, out = tmp_path / f"image{source}", tmp_path / f"sharp{ending}"
    write_image(path, observed((2, 2, 2, 64, 72)), "TCZYX", metadata=STATED)
    succeed("deblur", path, "--channel", 1, "--out", out)
    assert read_image(out).metadata == STATED.of_channel(1)


def test_what_was_typed_stands_in_the_deblurred_file(tmp_path):
    path, out = tmp_path / "image.tif", tmp_path / "sharp.ome.tif"
    tifffile.imwrite(path, observed((64, 72)))
    succeed("deblur", path, *OPTICS, "--out", out)
    said = read_image(out).metadata
    assert (said.numerical_aperture, said.wavelength_um, said.pixel_size_um) == (1.4, 0.52, 0.09)
    succeed("estimate", out)


def test_time_step_and_colours_of_imagej(tmp_path):
    path, out = tmp_path / "image.tif", tmp_path / "sharp.ome.tif"
    table = np.zeros((3, 256), np.uint8)
    table[1] = np.arange(256)
    metadata = {"axes": "TYX", "unit": "um", "finterval": 2.5, "LUTs": [table]}
    size = (1 / 0.09, 1 / 0.09)
    data = observed((2, 64, 72))
    tifffile.imwrite(path, data, imagej=True, resolution=size, metadata=metadata)
    succeed("deblur", path, "--na", 1.4, "--wavelength", 0.52, "--out", out)
    said = read_image(out).metadata
    assert said.time_step_s == 2.5
    assert said.channels == (Channel(wavelength_um=0.52, colour=(0, 255, 0)),)
    assert said.pixel_size_um == pytest.approx(0.09, rel=1e-5)


@pytest.mark.parametrize("name", ["depth", "a"])
def test_names_of_zarr_axes(tmp_path, name):
    group = zarr.open_group(tmp_path / "image.zarr", mode="w", zarr_format=2)
    group.create_array("0", data=observed((3, 64, 72)))
    scale = [{"type": "scale", "scale": [0.3, 0.09, 0.09]}]
    axes = [{"name": n, "type": "space", "unit": "micrometer"} for n in (name, "y", "x")]
    datasets = [{"path": "0", "coordinateTransformations": scale}]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": datasets}]
    content = json.loads(succeed("info", tmp_path / "image.zarr", "--json").stdout)
    assert (content["axes"], content["z_step_um"]) == ("ZYX", 0.3)
    text = succeed("info", tmp_path / "image.zarr", "--axes", "TYX").stdout
    assert "TYX" in text


def test_an_incomplete_file_is_told_before_the_work(tmp_path):
    path = tmp_path / "cut.tif"
    tifffile.imwrite(path, observed((4, 64, 72)), photometric="minisblack")
    path.write_bytes(path.read_bytes()[: 64 * 72 * 4 * 3])
    assert "is incomplete: it declares 4 planes and 2 can be read" in succeed("info", path).stderr


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_seen_before_the_work(plane, tmp_path):
    tmp_path.chmod(0o500)
    assert "cannot be written" in fail("deblur", plane, *OPTICS, "--out", tmp_path / "a.tif")


def test_a_full_disk_is_seen_before_the_work(plane, tmp_path, monkeypatch):
    import shutil

    from napari_deepblur.engine import deblur

    monkeypatch.setattr(deblur, "deblur_job", None)
    usage = shutil.disk_usage(tmp_path)._replace(free=100)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert "too full" in fail("deblur", plane, *OPTICS, "--out", tmp_path / "a.tif")


def test_a_write_that_fails_keeps_the_result(plane, tmp_path, monkeypatch):
    from napari_deepblur.engine.deblur import _Deblurring
    from napari_deepblur.io import partial_image

    def fails(*_):
        raise OSError(28, "No space left on device")

    out = tmp_path / "sharp.tif"
    command = ("deblur", plane, *OPTICS, "--out", out)
    with monkeypatch.context() as patch:
        patch.setattr(partial_image, "write_tiff", fails)
        result = run(*command)
    assert result.exit_code == 1
    assert "sharp.tif could not be written ([Errno 28] No space left on device)" in result.stderr
    assert "goes on from there" in result.stderr
    assert not out.exists()
    monkeypatch.setattr(_Deblurring, "plane_job", None)  # it is not computed again
    succeed(*command)
    assert read_image(out).shape == read_image(plane).shape
    assert sorted(one.name for one in tmp_path.iterdir()) == ["plane.tif", "sharp.tif"]


def test_a_write_that_fails_does_not_cost_the_estimate(plane, tmp_path, monkeypatch):
    from napari_deepblur.engine.blur import BlurEstimate

    def fails(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(BlurEstimate, "save", fails)
    result = run("estimate", plane, *OPTICS, "--out", tmp_path / "blur.json", "--json")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == "error: No space left on device"
    content = json.loads(result.stdout)
    assert content["written"] == []
    assert len(content["coefficients"]) == 1


@pytest.mark.parametrize("command", ["calibrate", "simulate"])
def test_a_folder_that_no_disk_takes_is_seen_before_the_work(plane, tmp_path, command):
    out = tmp_path / ("x" * 300) / "family"
    first = plane if command == "calibrate" else "spim"
    assert "x" * 300 in fail(command, first, "--out", out)
    (tmp_path / "file").touch()
    assert "cannot be written" in fail(command, first, "--out", tmp_path / "file" / "family")
