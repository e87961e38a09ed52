"""A calibration's folder: whole or not at all, read again, refused if hostile."""

import json

import numpy as np
import pandas as pd
import pytest

from helpers.bead_images import calibrated
from napari_deepblur import load_calibration
from napari_deepblur.calibration import files
from napari_deepblur.errors import ModelError

FILES = {"family.npz", "beads.csv", "calibration.json", "report.html"}


@pytest.fixture
def folder(tmp_path):
    calibrated().save(tmp_path / "family")
    return tmp_path / "family"


def test_what_was_saved_is_read(folder):
    saved, read = calibrated(), load_calibration(folder)
    np.testing.assert_array_equal(read.coefficients, saved.coefficients)
    np.testing.assert_allclose(read.psf((90, 200)), saved.psf((90, 200)), atol=1e-7)
    pd.testing.assert_frame_equal(read.beads, saved.beads, rtol=1e-6, check_dtype=False)
    assert read.names == saved.names
    assert read.notes == saved.notes
    assert read.field_shape == saved.field_shape
    assert read.error_db == pytest.approx(saved.error_db, rel=1e-4)
    read.save(folder.parent / "again")
    texts = [(one / "calibration.json").read_text() for one in (folder, folder.parent / "again")]
    assert texts[0] == texts[1]


def test_a_write_that_fails_leaves_the_former_calibration(folder, monkeypatch):
    former = {name: (folder / name).read_bytes() for name in FILES}

    def fail(result):
        raise OSError("no space left on device")

    monkeypatch.setattr(files, "report_html", fail)
    with pytest.raises(OSError, match="no space"):
        calibrated().save(folder, overwrite=True)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == former
    with pytest.raises(OSError, match="no space"):
        calibrated().save(folder.parent / "new")
    assert [path.name for path in folder.parent.iterdir()] == ["family"]


def change(folder, **changes):
    path = folder / "calibration.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(content | changes), encoding="utf-8")


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "napari-deepblur calibration 1"},
        {"field_shape": [0, -3]},
        {"field_shape": [10**12, 4]},
        {"pixel_size_um": float("nan")},
        {"window": 10**9},
        {"coefficients": []},
        {"coefficients": [[1.0, 2.0]]},
        {"coefficients": [[float("inf")]]},
        {"acquisitions": []},
        {"energy": []},
        {"energy": "much"},
        {"optics": {"numerical_aperture": -1}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_content_that_cannot_be_is_refused(folder, changes):
    change(folder, **changes)
    with pytest.raises(ModelError) as caught:
        load_calibration(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", sorted(FILES - {"report.html"}))
@pytest.mark.parametrize("content", [None, b"", b"\x00\xff" * 500, b"{}", b"[" * 100_000])
def test_damaged_files_are_refused(folder, name, content):
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    with pytest.raises(ModelError):
        load_calibration(folder)


@pytest.mark.parametrize(
    ("column", "value"),
    [("status", "<script>"), ("y", "nan"), ("acquisition", "7"), ("fwhm", "wide")],
)
def test_tables_that_cannot_be_are_refused(folder, column, value):
    table = pd.read_csv(folder / "beads.csv", dtype=str)
    table.loc[table["status"] == "used", column] = value
    table.to_csv(folder / "beads.csv", index=False)
    with pytest.raises(ModelError, match=r"beads\.csv"):
        load_calibration(folder)


def test_a_huge_file_is_not_read(folder, monkeypatch):
    monkeypatch.setattr(files, "_LARGEST_JSON", 100)
    with pytest.raises(ModelError, match="larger than"):
        load_calibration(folder)


def test_no_folder(tmp_path):
    with pytest.raises(ModelError, match="no folder"):
        load_calibration(tmp_path / "nowhere")
