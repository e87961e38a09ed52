"""`deepblur simulate` writes a family that can be read back, and says how good it is."""

import json

import numpy as np
import pytest

from helpers.command_line import fail, run, succeed
from helpers.families import varying_family
from napari_deepblur.engine.events import Progress
from napari_deepblur.engine.simulate import Simulation
from napari_deepblur.operators.family_file import read_family


@pytest.fixture
def simulated(monkeypatch):
    """Answers at once with a small family; returns what was asked for."""
    asked = {}
    family = varying_family()

    def job(name, **given):
        asked.update(given, name=name)
        yield Progress(1, 1, "simulating PSFs")
        values = np.array([[20.0, 22.0]])
        return Simulation({"waist_um": 2.0}, family, 0.987, values, values - 6)

    monkeypatch.setattr("napari_deepblur.engine.simulate.simulate_family_job", job)
    return asked, family


def test_a_family_and_its_parameters_are_written(simulated, tmp_path):
    asked, family = simulated
    out = tmp_path / "new" / "family"
    printed = succeed("simulate", "spim", "--out", out, "--n", 30, "--seed", 4).stdout
    assert asked == {"name": "spim", "n_microscopes": 30, "seed": 4}
    written = read_family(out / "family.npz")
    assert written.n_coefficients == family.n_coefficients
    np.testing.assert_array_equal(written.eigen_psfs, family.eigen_psfs)
    content = json.loads((out / "simulation.json").read_text())
    assert content["microscope"] == "spim"
    assert content["parameters"] == {"waist_um": 2.0}
    assert content["figures"]["fidelity_db"] == 21
    assert content["figures"]["mean_operator_db"] == 15
    assert "98.7%" in printed
    assert "21.0 dB" in printed
    assert "15.0 dB" in printed


def test_machines_get_the_same_figures(simulated, tmp_path):
    printed = succeed("simulate", "spim", "--out", tmp_path, "--json").stdout
    content = json.loads(printed)
    assert content["written"] == str(tmp_path)
    del content["written"]
    assert content == json.loads((tmp_path / "simulation.json").read_text())


@pytest.mark.parametrize("name", ["family.npz", "simulation.json"])
def test_a_family_is_not_overwritten_unasked(simulated, tmp_path, name):
    asked, _ = simulated
    (tmp_path / name).write_text("mine")
    assert "--overwrite" in fail("simulate", "spim", "--out", tmp_path)
    assert not asked, "refused after the work"
    assert (tmp_path / name).read_text() == "mine"
    succeed("simulate", "spim", "--out", tmp_path, "--overwrite")
    assert (tmp_path / name).read_bytes() != b"mine"


def test_an_unknown_microscope_is_refused_by_name(tmp_path):
    result = run("simulate", "confocal", "--out", tmp_path)
    assert result.exit_code == 2
    assert "widefield-fieldvarying" in result.stderr
