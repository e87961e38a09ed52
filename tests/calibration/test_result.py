import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from helpers.bead_images import bead_field, calibrated, error_db
from napari_deepblur.operators.family_file import read_family

FILES = {"family.npz", "beads.csv", "calibration.json", "report.html"}


def test_the_psf_is_the_true_one():
    field = bead_field()
    places = np.array([[100.0, 100], [200, 120], [150, 220]])
    found = np.stack([calibrated().psf((y, x)) for y, x in places])
    assert found.shape == (3, 25, 25)
    np.testing.assert_allclose(found.sum((1, 2)), 1, atol=1e-4)
    assert error_db(found, field.psf(places)) < -25


def test_places_of_the_field():
    result = calibrated()
    centre = result.psf_field(np.zeros((1, 2)))[0]
    np.testing.assert_allclose(result.psf(), centre)
    np.testing.assert_allclose(result.psf((159.5, 159.5)), centre, atol=1e-6)
    corner = result.psf_field(np.array([[-1.0, -1.0]]))[0]
    np.testing.assert_allclose(result.psf((-0.5, -0.5)), corner, atol=1e-6)
    assert error_db(corner, centre) > -40
    with pytest.raises(IndexError, match=r"0 … 0"):
        result.psf(acquisition=1)


def test_beads_of_the_result():
    result = calibrated()
    beads = result.beads
    assert list(beads.columns) == [
        "acquisition", "y", "x", "peak", "background", "snr", "fwhm", "fwhm_um", "ellipticity",
        "status", "residual_db",
    ]  # fmt: skip
    used = beads["status"] == "used"
    assert result.n_used == used.sum() > 20
    assert result.n_used + sum(result.n_rejected.values()) == len(beads)
    assert beads["residual_db"][used].notna().all()
    assert beads["residual_db"][~used].isna().all()
    np.testing.assert_allclose(beads["fwhm_um"], 0.1 * beads["fwhm"])


def test_error_is_that_of_the_number_taken():
    result = calibrated()
    number = len(result.eigen_psfs)
    assert result.error_db == result.cross_validation_db[number - 1] < -15
    assert replace(result, cross_validation_db=np.zeros(0)).error_db is None


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("calibration") / "family"
    calibrated().save(folder)
    return folder


class TestSaved:
    def test_files(self, folder):
        assert {path.name for path in folder.iterdir()} == FILES

    def test_family(self, folder):
        family, result = read_family(folder / "family.npz"), calibrated()
        gamma = torch.from_numpy(result.coefficients[0])
        np.testing.assert_allclose(family.psf(gamma).numpy(), result.psf(), atol=1e-7)
        assert family.pixel_size_um == 0.1
        assert not family.optics_known

    def test_bead_table(self, folder):
        table = pd.read_csv(folder / "beads.csv")
        assert len(table) == len(calibrated().beads)
        np.testing.assert_allclose(table["y_um"], 0.1 * calibrated().beads["y"], rtol=1e-5)
        assert {"fwhm_um", "status", "residual_db", "acquisition"} <= set(table.columns)

    def test_figures(self, folder):
        content = json.loads((folder / "calibration.json").read_text(encoding="utf-8"))
        assert content["n_used"] == calibrated().n_used
        assert content["acquisitions"] == [{"name": "slide.tif", "taken": ""}]
        assert content["coefficients"] == [[1.0]]
        assert content["units"]["fwhm_um"] == "µm"
        assert content["settings"]["window"] == 25
        assert content["fwhm_um"]["field_least"] < content["fwhm_um"]["beads_mean"]

    def test_nothing_of_the_users_is_lost(self, tmp_path):
        (tmp_path / "notes.txt").write_text("precious")
        with pytest.raises(FileExistsError, match="not empty"):
            calibrated().save(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
        calibrated().save(tmp_path, overwrite=True)
        assert (tmp_path / "notes.txt").read_text() == "precious"
        assert {path.name for path in tmp_path.iterdir()} == FILES | {"notes.txt"}

    def test_a_file_is_no_folder(self, tmp_path):
        path = tmp_path / "family"
        path.write_text("precious")
        with pytest.raises(FileExistsError, match="is a file"):
            calibrated().save(path, overwrite=True)
        assert path.read_text() == "precious"
