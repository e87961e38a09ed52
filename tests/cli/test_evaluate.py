"""`deepblur evaluate`: what it prints, writes and refuses."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.command_line import fail, succeed
from napari_deepblur import evaluation
from napari_deepblur.engine.models import load_model
from napari_deepblur.evaluation.deblurring import examples
from napari_deepblur.training.data.sources import is_held_out


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    path = next(p for k in range(1000) if is_held_out(p := folder / f"{k}.png"))
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (170, 170), np.uint8)).save(path)
    return f"noise={folder}"


@pytest.fixture
def model(tiny_model, tmp_path):
    return shutil.copytree(tiny_model, tmp_path / "model")


@pytest.fixture
def short(monkeypatch):
    """One further question, the quickest."""
    one = {"speed": evaluation.FURTHER_QUESTIONS["speed"]}
    monkeypatch.setattr(evaluation, "FURTHER_QUESTIONS", one)


def arguments(images, model):
    return ["--model", model, "--images", images, "--n", 1, "--size", 128, "--device", "cpu"]


def page(folder, *names):
    folder.mkdir()
    path = folder / "accuracy.md"
    path.write_text("".join(f"<!-- {name} -->\n<!-- /{name} -->\nkept\n" for name in names))
    return path


@pytest.mark.parametrize("network", ["identification", "deblurring"])
def test_help(network):
    assert "--write" in succeed("evaluate", network, "--help").stdout


@pytest.mark.usefixtures("short")
class TestIdentification:
    def test_tables_are_printed_and_nothing_written(self, images, model, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        before = (model / "model.json").read_text()
        text = succeed("evaluate", "identification", *arguments(images, model)).stdout
        assert "PSF-SNR mean / median / 5 % (dB)" in text
        assert "### Speed" in text
        assert (model / "model.json").read_text() == before
        assert not (model / "README.md").exists()

    def test_write(self, images, model, tmp_path):
        path = page(tmp_path / "pages", "identification", "speed")
        words = [*arguments(images, model), "--write", "--docs", path.parent, "--json"]
        content = json.loads(succeed("evaluate", "identification", *words).stdout)
        assert path.read_text().count("kept") == 2
        assert "| noise | 0.05 |" in path.read_text()
        assert (path.parent / "images" / "accuracy.png").stat().st_size > 10_000
        accuracy = load_model(model).card.identification.accuracy
        assert len(load_model(model).card.identification.main_figures) == 5
        assert accuracy.keys() == content["accuracy"].keys()
        assert "<!-- identification accuracy -->" in (model / "README.md").read_text()

    def test_docs_of_this_folder_are_used_where_there_are_any(
        self, images, model, tmp_path, monkeypatch
    ):
        monkeypatch.chdir(tmp_path)
        words = [*arguments(images, model), "--write"]
        page(tmp_path / "docs", "identification")
        line = fail("evaluate", "identification", *words)
        assert "lacks the marks <!-- speed -->" in line


@pytest.fixture
def short_deblurring(monkeypatch):
    """One further question, the quickest."""
    name = "deblurring photometry"
    one = {name: evaluation.DEBLURRING_QUESTIONS[name]}
    monkeypatch.setattr(evaluation, "DEBLURRING_QUESTIONS", one)


@pytest.mark.usefixtures("short_deblurring")
class TestDeblurring:
    def test_tables_are_printed(self, images, model):
        text = succeed("evaluate", "deblurring", *arguments(images, model)).stdout
        for title in ("Deblurring", "Borders", "Beside classical methods", "Units"):
            assert f"### {title}\n" in text

    def test_write(self, images, model, tmp_path, monkeypatch):
        scene = torch.rand(160, 160, generator=torch.Generator().manual_seed(0))
        monkeypatch.setattr(examples, "_scenes", lambda: {"scene": scene})
        names = ("deblurring", "borders", "classical", "deblurring photometry")
        path = page(tmp_path / "pages", *names)
        picture = tmp_path / "examples.png"
        words = ["--write", "--docs", path.parent, "--picture", picture, "--json"]
        words = [*arguments(images, model), *words]
        content = json.loads(succeed("evaluate", "deblurring", *words).stdout)
        assert path.read_text().count("kept") == 4
        assert "| noise | 0.05 |" in path.read_text()
        drawn = (path.parent / "images" / "deblurring-examples.png").read_bytes()
        assert drawn == picture.read_bytes()
        card = load_model(model).card.deblurring
        assert card.accuracy.keys() == content["accuracy"].keys()
        assert len(card.main_figures) == 6
        assert "<!-- deblurring accuracy -->" in (model / "README.md").read_text()

    def test_page_without_a_place(self, images, model, tmp_path):
        path = page(tmp_path / "pages", "deblurring", "borders")
        words = [*arguments(images, model), "--write", "--docs", path.parent]
        assert "lacks the marks <!-- classical -->" in fail("evaluate", "deblurring", *words)

    def test_with_json(self, images, model):
        words = [*arguments(images, model), "--json"]
        content = json.loads(succeed("evaluate", "deblurring", *words).stdout)
        assert content["network"] == "deblurring"
        assert "noise sigma=0.02 psnr_estimated_operator" in content["accuracy"]

    def test_a_folder_without_a_name_has_its_own(self, images, model):
        folder = images.partition("=")[2]
        words = [*arguments(folder, model), "--json"]
        content = json.loads(succeed("evaluate", "deblurring", *words).stdout)
        assert f"{Path(folder).name} sigma=0.02 psnr_estimated_operator" in content["accuracy"]


class TestRefusals:
    @pytest.mark.parametrize("text", ["=photos", "natural="])
    def test_half_a_name(self, model, text):
        assert "NAME=FOLDER" in fail("evaluate", "deblurring", *arguments(text, model))

    def test_missing_unnamed_folder(self, model, tmp_path):
        line = fail("evaluate", "deblurring", *arguments(str(tmp_path / "none"), model))
        assert "no folder" in line

    def test_missing_folder(self, model, tmp_path):
        line = fail("evaluate", "deblurring", *arguments(f"a={tmp_path / 'none'}", model))
        assert "no folder" in line

    def test_model_without_that_network(self, images, model):
        card = json.loads((model / "model.json").read_text())
        (model / "model.json").write_text(json.dumps(card | {"identification": None}))
        line = fail("evaluate", "identification", *arguments(images, model))
        assert "has no identification network" in line
