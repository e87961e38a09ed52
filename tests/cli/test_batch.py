"""Many images, one report; one that is bad is not the end."""

import csv
import json

import pytest
import zarr

from helpers.command_line import OPTICS, fail, observed, run, succeed, write
from napari_deepblur.cli.batch.jobs import find_files, find_jobs
from napari_deepblur.cli.batch.pieces import Piece
from napari_deepblur.engine.batch_settings import BatchSettings, read_settings
from napari_deepblur.io import Channel, ImageMetadata, read_image, write_image

TWO = ImageMetadata(
    pixel_sides_um=(0.09, 0.09),
    channels=(Channel(name="GFP", wavelength_um=0.52), Channel(name="Cy5", wavelength_um=0.67)),
)


@pytest.fixture
def folder(tmp_path):
    """A plane, two channels in OME-Zarr, and something else."""
    images = tmp_path / "images"
    images.mkdir()
    write(images / "plane.tif", observed((64, 72)), pixel_size_um=0.09)
    write_image(images / "two.ome.zarr", observed((2, 64, 72)), "CYX", metadata=TWO)
    (images / "bad.tif").write_bytes(b"II*\0nothing of an image")
    (images / "notes.txt").write_text("no image")
    return images


@pytest.fixture
def settings(tmp_path, tiny_model):
    path = tmp_path / "settings.yaml"
    path.write_text(
        f"optics: {{numerical_aperture: 1.3, wavelength_um: 0.52}}\nmodel: {tiny_model}\n"
        "per: stack\n"
    )
    return path


def table(out):
    with (out / "summary.csv").open(encoding="utf-8", newline="") as file:
        return {row["output"] or row["image"]: row for row in csv.DictReader(file)}


def test_a_folder_with_a_bad_file(folder, settings, tmp_path):
    out = tmp_path / "out"
    result = run("batch", folder, "--settings", settings, "--out", out)
    assert result.exit_code == 1
    assert "error: 1 of 4 images failed" in result.stderr
    rows = table(out)
    assert list(rows) == [
        str(folder / "bad.tif"), "plane.ome.zarr", "two_c0.ome.zarr", "two_c1.ome.zarr"
    ]  # fmt: skip
    assert [row["status"] for row in rows.values()] == ["failed", "done", "done", "done"]
    assert "bad.tif" in rows[str(folder / "bad.tif")]["error"]
    assert float(rows["plane.ome.zarr"]["residual"]) > 0
    assert read_image(out / "two_c1.ome.zarr").metadata.channels[0].name == "Cy5"
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 9
    assert "two_c1" in page
    assert "is it whole" in page


def test_given_again_it_does_only_what_failed(folder, settings, tmp_path, monkeypatch):
    out = tmp_path / "out"
    words = ("batch", folder, "--settings", settings, "--out", out)
    run(*words)
    page = (out / "report.html").read_text(encoding="utf-8")
    write(folder / "bad.tif", observed((64, 72)), pixel_size_um=0.09, overwrite=True)
    asked = []
    complete = Piece.complete
    monkeypatch.setattr(Piece, "complete", lambda piece: asked.append(piece) or complete(piece))
    succeed(*words)
    assert [piece.name for piece in asked] == ["bad"]
    again = (out / "report.html").read_text(encoding="utf-8")
    assert "4 images, 0 failed" in again
    assert page.count("data:image") + 3 == again.count("data:image")


def test_other_settings_do_not_replace_what_is_there(folder, settings, tmp_path):
    out = tmp_path / "out"
    words = ("batch", folder / "plane.tif", "--settings", settings, "--out", out)
    succeed(*words)
    assert "1 of 1 images failed" in fail(*words, "--na", 1.2)
    assert "exists" in table(out)[str(folder / "plane.tif")]["error"]
    succeed(*words, "--na", 1.2, "--overwrite")
    told = zarr.open_group(out / "plane.ome.zarr", mode="r").attrs["napari_deepblur"]
    assert told["numerical_aperture"] == 1.2


def test_channels_have_optics_of_their_own(folder, settings, tmp_path):
    settings.write_text(
        settings.read_text() + "channels: {1: {wavelength_um: 0.7}}\nformat: .ome.tif\n"
    )
    out = tmp_path / "out"
    result = succeed(
        "batch", folder / "two.ome.zarr", "--settings", settings, "--out", out, "--json"
    )
    (image,) = json.loads(result.stdout)["images"]
    assert (image["channel"], image["output"]) == (1, "two_c1.ome.tif")
    assert image["request"]["optics"]["wavelength_um"] == 0.7
    assert image["request"]["optics"]["numerical_aperture"] == 1.3
    assert read_image(out / "two_c1.ome.tif").metadata.wavelength_um == pytest.approx(0.7)


def test_channels_are_chosen(folder, tiny_model, tmp_path):
    words = ("batch", folder / "two.ome.zarr", *OPTICS[:2], "--model", tiny_model, "--out")
    succeed(*words, tmp_path / "a", "--channels", "1")
    assert list(table(tmp_path / "a")) == ["two_c1.ome.zarr"]
    fail(*words, tmp_path / "b", "--channels", "0,5")
    rows = table(tmp_path / "b").values()
    assert [row["status"] for row in rows] == ["done", "failed"]
    assert "there is no channel 5" in [row["error"] for row in rows][1]
    assert "such as 0,2" in fail(*words, tmp_path / "c", "--channels", "green")


def test_inputs_are_files_folders_and_patterns(folder, tmp_path):
    names = [path.name for path in find_files([str(folder)])]
    assert names == ["bad.tif", "plane.tif", "two.ome.zarr"]
    assert [path.name for path in find_files([str(folder / "*.tif")])] == ["bad.tif", "plane.tif"]
    assert len(find_files([str(tmp_path / "**" / "*.zarr"), str(folder / "two.ome.zarr")])) == 1
    for nothing in (tmp_path / "absent.tif", tmp_path / "*.tif"):
        with pytest.raises(FileNotFoundError, match="there is no image"):
            find_files([str(nothing)])


def test_each_image_of_a_file_has_a_name_of_its_own(tmp_path):
    group = zarr.open_group(tmp_path / "plate.zarr", mode="w")
    group.attrs["ome"] = {"plate": {"wells": [{"path": "A/1"}]}}
    well = group.create_group("A/1")
    well.attrs["ome"] = {"well": {"images": [{"path": "0"}, {"path": "1"}]}}
    for field in range(2):
        axes = [{"name": name, "type": "space"} for name in "yx"]
        one = well.create_group(str(field))
        one.create_array("0", data=observed((64, 64)), chunks=(64, 64))
        one.attrs["ome"] = {"multiscales": [{"axes": axes, "datasets": [{"path": "0"}]}]}
    write(tmp_path / "plate.tif", observed((64, 64)))
    files = [tmp_path / "plate.zarr", tmp_path / "plate.tif"]
    jobs = find_jobs(files * 2, BatchSettings())
    assert [job.name for job in jobs] == [
        "plate_A-1-0", "plate_A-1-1", "plate", "plate_A-1-0-2", "plate_A-1-1-2", "plate-2"
    ]  # fmt: skip
    assert [job.series for job in jobs[:3]] == [0, 1, 0]
    [multiscale] = well["1"].attrs["ome"]["multiscales"]
    well["1"].attrs["ome"] = {"multiscales": [{**multiscale, "name": "A/1/0"}]}
    assert [job.name for job in find_jobs(files[:1], BatchSettings())] == ["plate_s0", "plate_s1"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("optic: {}", "optic"),
        ("optics: {numerical_aperture: wide}", "numerical_aperture"),
        ("per: week", "per"),
        ("a: [", "is not understood"),
        ("a: " + "[" * 20_000, "is not understood"),
    ],
)
def test_settings_that_are_not_understood(tmp_path, text, says):
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=says):
        read_settings(path)
