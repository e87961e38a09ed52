"""Bad input, existing output, a machine that fails: one clear line, nothing lost."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile

from helpers.command_line import CARD, OPTICS, fail, observed, run, write


class TestBadImages:
    @pytest.mark.parametrize(
        ("data", "axes", "says"),
        [
            (np.full((64, 64), 7.0, np.float32), "YX", "all pixels are equal"),
            (observed((63, 64)), "YX", "63 × 64"),
            (observed((64, 20)), "YX", "64 × 20"),
        ],
    )
    def test_contents(self, tmp_path, data, axes, says):
        path, out = write(tmp_path / "bad.tif", data, axes), tmp_path / "out.tif"
        assert says in fail("estimate", path, *OPTICS)
        assert says in fail("deblur", path, *OPTICS, "--out", out)
        assert not out.exists()

    def test_not_an_image(self, tmp_path):
        path = tmp_path / "notes.tif"
        path.write_text("not an image")
        assert "cannot be read as an image" in fail("estimate", path, *OPTICS)
        assert "no file" in fail("estimate", tmp_path / "none.tif", *OPTICS)
        assert "is a folder" in fail("info", tmp_path)

    @pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="permissions do not bind")
    def test_unreadable(self, plane):
        plane.chmod(0)
        assert "Permission denied" in fail("estimate", plane, *OPTICS)

    def test_colour(self, tmp_path):
        path = tmp_path / "colour.tif"
        colours = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
        tifffile.imwrite(path, colours, photometric="rgb")
        assert "RGB" in fail("estimate", path, *OPTICS)

    @pytest.mark.parametrize("axes", ["XYQ", "YX", "ZZYX", "TZYX"])
    def test_axes(self, stack, axes):
        assert "axes" in fail("estimate", stack, *OPTICS, "--axes", axes)


class TestBadOptics:
    @pytest.mark.parametrize(
        ("option", "value", "says"),
        [
            ("--na", 1.6, "must be smaller than refractive_index"),
            ("--na", 0, "between 0 and 2"),
            ("--na", "nan", "between 0 and 2"),
            ("--wavelength", 520, "give 0.52"),
            ("--pixel-size", 0, "positive number of micrometres"),
            ("--pixel-size", -0.1, "positive number of micrometres"),
            ("--pixel-size", 0.5, "no blur left to estimate"),
            ("--refractive-index", 1.33, "must be smaller than refractive_index"),
        ],
    )
    def test_values(self, plane, option, value, says):
        assert says in fail("estimate", plane, *OPTICS, option, value)

    def test_missing(self, plane):
        line = fail("estimate", plane, "--wavelength", 0.52)
        assert "numerical aperture and pixel size" in line
        assert "--na, --pixel-size" in line


class TestBadModels:
    @pytest.fixture
    def folder(self, tmp_path):
        return Path(shutil.copytree(CARD, tmp_path / "model"))

    def test_unknown(self, plane):
        line = fail("estimate", plane, *OPTICS, "--model", "nonsense")
        assert "no model 'nonsense'" in line
        assert "widefield-zernike" in line

    @pytest.mark.parametrize("network", ["identification", "deblurring"])
    def test_missing_file(self, plane, folder, network):
        (folder / f"{network}.safetensors").unlink()
        assert "is missing" in fail("estimate", plane, *OPTICS, "--model", folder)

    def test_truncated_file(self, plane, folder):
        weights = folder / "identification.safetensors"
        weights.write_bytes(weights.read_bytes()[:1000])
        assert "truncated" in fail("estimate", plane, *OPTICS, "--model", folder)

    @pytest.mark.parametrize("text", ["", "{}", "[1]", '{"format": 9}', "\x00"])
    def test_foreign_description(self, plane, folder, text):
        (folder / "model.json").write_text(text)
        assert "not a model description" in fail("estimate", plane, *OPTICS, "--model", folder)


class TestOutputs:
    @pytest.fixture(autouse=True)
    def no_work(self, monkeypatch, tmp_path):
        """Refusals come before any computation."""

        def work(*_args, **_kwargs):
            pytest.fail("the computation began")

        monkeypatch.setattr("napari_deepblur.engine.estimate.estimate_blur_job", work)
        monkeypatch.setattr("napari_deepblur.engine.deblur.deblur_job", work)
        monkeypatch.chdir(tmp_path)

    @pytest.mark.parametrize(
        ("command", "option", "name"),
        [
            ("estimate", "--out", "blur.json"),
            ("estimate", "--psf", "psf.tif"),
            ("deblur", "--out", "sharp.tif"),
            ("deblur", "--out out.tif --residual", "residual.tif"),
        ],
    )
    def test_existing_output_is_kept(self, plane, tmp_path, command, option, name):
        path = tmp_path / name
        path.write_text("precious")
        line = fail(command, plane, *OPTICS, *option.split(), path)
        assert "exists" in line
        assert "--overwrite" in line
        assert path.read_text() == "precious"

    def test_input_is_never_replaced(self, plane):
        assert "is the input" in fail("deblur", plane, *OPTICS, "--out", plane, "--overwrite")

    def test_a_residual_of_its_own_name(self, plane, tmp_path):
        out = tmp_path / "a.tif"
        line = fail("deblur", plane, *OPTICS, "--out", out, "--residual", out)
        assert "two names" in line
        line = fail("deblur", plane, *OPTICS, "--out", out, "--residual", plane, "--overwrite")
        assert "is the input" in line
        line = fail("deblur", plane, *OPTICS, "--out", out, "--residual", tmp_path / "r.png")
        assert ".ome.tif" in line

    def test_unknown_ending_and_folder(self, plane, tmp_path):
        assert ".ome.tif" in fail("deblur", plane, *OPTICS, "--out", tmp_path / "a.png")
        assert "no folder" in fail("deblur", plane, *OPTICS, "--out", tmp_path / "x" / "a.tif")

    def test_demo_folder(self, tmp_path):
        (tmp_path / "blur.json").write_text("precious")
        assert "exists" in fail("demo", "--out", tmp_path)
        assert "no folder" in fail("demo", "--out", tmp_path / "blur.json")


class TestMachine:
    def test_absent_gpu(self, plane, monkeypatch):
        monkeypatch.setattr("torch.cuda.is_available", lambda: False)
        line = fail("estimate", plane, *OPTICS, "--device", "cuda")
        assert "not there" in line

    @pytest.mark.parametrize("kind", ["torch", "cpu allocator", "python"])
    def test_out_of_memory(self, plane, monkeypatch, tmp_path, kind):
        import torch

        error = {
            "torch": torch.OutOfMemoryError("CUDA out of memory"),
            "cpu allocator": RuntimeError("DefaultCPUAllocator: can't allocate memory"),
            "python": MemoryError(),
        }[kind]

        def exhausted(*_args):
            raise error

        monkeypatch.setattr("napari_deepblur.engine.plane_features.resample", exhausted)
        out = tmp_path / "a.tif"
        assert "out of memory" in fail("deblur", plane, *OPTICS, "--out", out)
        assert not out.exists()

    def test_interrupted(self, plane, monkeypatch, tmp_path):
        def interrupted(*_args):
            raise KeyboardInterrupt

        monkeypatch.setattr("napari_deepblur.engine.plane_features.resample", interrupted)
        result = run("deblur", plane, *OPTICS, "--out", tmp_path / "a.tif")
        assert result.exit_code == 130
        assert result.stderr.strip() == "stopped"
        assert [entry.name for entry in tmp_path.iterdir()] == [plane.name]
