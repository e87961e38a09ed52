"""Figures of a blur as a table."""

import csv
from dataclasses import replace

import numpy as np
import pytest

import napari_deepblur as ndb
from helpers.stacks import GAMMA, KNOWN, OPTICS
from napari_deepblur.engine.concerns import Concern

DOUBTS = tuple(map(Concern.read, ("saturated: 3 %", "undersampled: coarse")))


def read(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_planes_have_coefficients_with_errors_and_units(tmp_path):
    ideal = ndb.ideal_blur(OPTICS)
    n = ideal.coefficients.shape[1]
    coefficients = np.zeros((2, n), np.float32)
    coefficients[1, 1] = 0.125
    blur = replace(
        ideal,
        coefficients=coefficients,
        std=np.full((2, n), 0.01, np.float32),
        per="plane",
        n_planes=2,
        concerns=((), DOUBTS),
    )
    ndb.write_figures(blur, tmp_path / "figures.csv")
    first, second = read(tmp_path / "figures.csv")
    assert (first["plane"], second["plane"]) == ("0", "1")
    name = f"{blur.coefficient_names[1]} (waves RMS)"
    assert (float(first[name]), float(second[name])) == (0, 0.125)
    assert float(second[f"std of {name}"]) == pytest.approx(0.01)
    assert float(first["Strehl ratio"]) == pytest.approx(1, abs=1e-3)
    assert float(second["Strehl ratio"]) < 0.7
    assert 0.15 < float(first["width (µm)"]) < float(second["width (µm)"])
    assert (first["doubts"], second["doubts"]) == ("", "saturated; undersampled")


def test_volumes_have_a_depth_too(tmp_path):
    blur = ndb.VolumeBlurEstimate(GAMMA[None], np.full((1, len(GAMMA)), np.nan), KNOWN)
    ndb.write_figures(blur, tmp_path / "figures.csv")
    (only,) = read(tmp_path / "figures.csv")
    assert only["volume"] == "0"
    assert float(only["Z11 spherical (waves RMS)"]) == pytest.approx(0.1)
    assert only["std of Z11 spherical (waves RMS)"] == ""
    assert 0.4 < float(only["depth (µm)"]) < 5


def test_a_file_is_not_replaced_unless_asked(tmp_path):
    path = tmp_path / "figures.csv"
    path.write_text("mine")
    with pytest.raises(FileExistsError, match="ask to overwrite"):
        ndb.write_figures(ndb.ideal_blur(OPTICS), path)
    assert path.read_text() == "mine"
    ndb.write_figures(ndb.ideal_blur(OPTICS), path, overwrite=True)
    assert len(read(path)) == 1
