"""What each command prints and writes."""

import html
import json
import subprocess
import sys

import numpy as np
import pytest
import tifffile

import napari_deepblur
from helpers.command_line import OPTICS, fail, observed, run, succeed, write
from napari_deepblur.engine.events import Progress
from napari_deepblur.errors import DeviceError
from napari_deepblur.io import read_image


class TestProgram:
    def test_help_is_light(self):
        code = (
            "import sys, napari_deepblur.cli as cli\n"
            "try: cli.app(['--help'])\n"
            "except SystemExit: pass\n"
            "heavy = {'torch', 'qtpy', 'PyQt6', 'PyQt5', 'napari', 'scipy', 'skimage', 'zarr'}\n"
            "print(sorted(heavy & set(sys.modules)))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines()[-1] == "[]"

    @pytest.mark.parametrize("command", ["demo", "estimate", "deblur", "info", "models", "train"])
    def test_every_command_has_help(self, command):
        assert "--json" in succeed(command, "--help").stdout

    def test_version(self):
        assert succeed("--version").stdout.strip() == napari_deepblur.__version__

    def test_traceback_on_demand(self, monkeypatch, tmp_path):
        monkeypatch.setenv("DEEPBLUR_DEBUG", "1")
        assert isinstance(run("info", tmp_path / "none.tif").exception, FileNotFoundError)

    def test_entry_point_ends_in_one_line(self, tmp_path):
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                "from napari_deepblur.cli import main; main()",
                "info",
                "no.tif",
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )
        assert done.returncode == 1
        assert done.stdout == ""
        assert done.stderr.strip() == "error: there is no file no.tif"


class TestEstimate:
    def test_table(self, plane):
        text = succeed("estimate", plane, *OPTICS).stdout
        assert "Z4 defocus" in text
        assert "±" in text
        assert "pixel 0.09 µm (typed)" in text
        assert "n 1.518 (default)" in text
        assert "even modes" in text

    def test_json_is_one_object(self, stack):
        result = succeed("estimate", stack, "--na", 1.4, "--wavelength", 0.52, "--json")
        content = json.loads(result.stdout)
        assert np.shape(content["coefficients"]) == np.shape(content["std"]) == (2, 9)
        assert content["origins"]["pixel_size_um"] == "file"
        assert content["optics"]["pixel_size_um"] == pytest.approx(0.09)
        assert all(0 < ratio <= 1 for ratio in content["strehl_ratio"])

    def test_many_planes_are_summarised(self, tmp_path):
        path = write(tmp_path / "long.tif", observed((6, 64, 64)), "TYX")
        text = succeed("estimate", path, *OPTICS).stdout
        assert "6 planes" in text
        assert "mean" in text

    def test_one_blur_for_the_stack(self, stack):
        result = succeed("estimate", stack, *OPTICS, "--per", "stack", "--json")
        assert np.shape(json.loads(result.stdout)["coefficients"]) == (1, 9)

    def test_files(self, stack, tmp_path):
        blur, psf = tmp_path / "blur.json", tmp_path / "psf.tif"
        succeed("estimate", stack, *OPTICS, "--out", blur, "--psf", psf)
        assert napari_deepblur.load_blur(blur).n_planes == 2
        image = read_image(psf)
        assert image.axes == "ZYX"
        assert image.metadata.pixel_size_um == pytest.approx(0.09)
        np.testing.assert_allclose(image.data.sum((-2, -1)), 1, rtol=1e-4)

    def test_metadata_of_the_file_is_used(self, tmp_path):
        path = tmp_path / "told.ome.tif"
        xml = """<?xml version="1.0" encoding="UTF-8"?>
        <OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">
        <Instrument ID="Instrument:0"><Objective ID="Objective:0" LensNA="1.2"/></Instrument>
        <Image ID="Image:0"><ObjectiveSettings ID="Objective:0" RefractiveIndex="1.33"/>
        <Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="float" SizeX="64" SizeY="64" SizeZ="1"
        SizeC="1" SizeT="1" PhysicalSizeX="0.1" PhysicalSizeY="0.1">
        <Channel ID="Channel:0:0" EmissionWavelength="520"/><TiffData/></Pixels></Image></OME>"""
        tifffile.imwrite(path, observed((64, 64)), description=xml.encode(), metadata=None)
        content = json.loads(succeed("estimate", path, "--json").stdout)
        assert set(content["origins"].values()) == {"file"}
        assert content["optics"]["numerical_aperture"] == pytest.approx(1.2)
        content = json.loads(succeed("estimate", path, "--na", 1.0, "--json").stdout)
        assert content["origins"]["numerical_aperture"] == "typed"
        assert content["optics"]["numerical_aperture"] == pytest.approx(1.0)

    def test_undersampled_image_runs_with_a_warning(self, plane):
        result = succeed("estimate", plane, "--na", 1.4, "--wavelength", 0.52, "--pixel-size", 0.15)
        lines = [line for line in result.stderr.splitlines() if "undersampled" in line]
        assert len(lines) == 1
        assert lines[0].startswith("warning: undersampled")


class TestDeblur:
    @pytest.mark.parametrize("ending", [".ome.tif", ".tif", ".ome.zarr"])
    def test_same_grid(self, stack, tmp_path, ending):
        out = tmp_path / f"sharp{ending}"
        result = succeed("deblur", stack, *OPTICS, "--out", out, "--json")
        before, after = read_image(stack), read_image(out)
        assert json.loads(result.stdout)["flux_change"] == pytest.approx(0, abs=0.01)
        assert after.axes == "ZYX"
        assert after.shape == before.shape
        assert np.asarray(after.data).dtype == np.float32
        assert np.isfinite(after.data).all()
        assert after.metadata.pixel_size_um == pytest.approx(before.metadata.pixel_size_um)
        assert after.metadata.z_step_um == pytest.approx(before.metadata.z_step_um)

    def test_the_result_is_checked(self, stack, tmp_path):
        out = tmp_path / "sharp.tif"
        text = succeed("deblur", stack, *OPTICS, "--out", out).stdout
        for word in ("residual / noise", "border ringing", "flux moved", "plane 1"):
            assert word in text
        result = succeed("deblur", stack, *OPTICS, "--out", out, "--overwrite", "--json")
        check = json.loads(result.stdout)["check"]
        for name in ("residual", "border_ringing", "flux_moved", "noise_deviation", "concerns"):
            assert len(check[name]) == 2
        with tifffile.TiffFile(out) as file:
            assert '"border_ringing": [' in html.unescape(file.ome_metadata)

    @pytest.mark.parametrize("ending", [".ome.tif", ".ome.zarr"])
    def test_residual(self, stack, tmp_path, ending):
        out, path = tmp_path / "sharp.tif", tmp_path / f"residual{ending}"
        result = succeed("deblur", stack, *OPTICS, "--out", out, "--residual", path, "--json")
        content = json.loads(result.stdout)
        assert content["residual"] == str(path)
        sharp, residual = read_image(out), read_image(path)
        assert (residual.axes, residual.shape) == (sharp.axes, sharp.shape)
        assert np.asarray(residual.data).dtype == np.float32
        assert residual.metadata.pixel_size_um == pytest.approx(sharp.metadata.pixel_size_um)
        assert residual.metadata.z_step_um == pytest.approx(sharp.metadata.z_step_um)
        inside = np.asarray(residual.data)[:, 15:-15, 15:-15]
        rms = np.sqrt(np.square(inside).mean((-2, -1)))
        np.testing.assert_allclose(rms, content["check"]["residual"], rtol=0.05)

    def test_a_check_that_fails_loses_no_result(self, plane, tmp_path, monkeypatch):
        def exhausted(*_arguments, **_options):
            yield Progress(0, 1, "checking the result")
            raise DeviceError("out of memory")

        monkeypatch.setattr("napari_deepblur.engine.restore.check_deblurring_job", exhausted)
        out = tmp_path / "sharp.tif"
        result = succeed("deblur", plane, *OPTICS, "--out", out)
        assert "warning: the deblurred image was not checked: out of memory" in result.stderr
        assert read_image(out).shape == read_image(plane).shape

    def test_with_a_blur_file(self, plane, tmp_path):
        blur = tmp_path / "blur.json"
        succeed("estimate", plane, *OPTICS, "--out", blur)
        succeed("deblur", plane, "--blur", blur, "--out", tmp_path / "a.tif")
        succeed("deblur", plane, *OPTICS, "--out", tmp_path / "b.tif")
        first, second = (read_image(tmp_path / name).data for name in ("a.tif", "b.tif"))
        np.testing.assert_allclose(first, second, rtol=1e-3, atol=0.1)

    def test_blur_file_and_optics_exclude_each_other(self, plane, tmp_path):
        line = fail("deblur", plane, "--blur", "b.json", *OPTICS, "--out", tmp_path / "a.tif")
        assert "leave out --na and --refractive-index" in line

    def test_blur_of_another_image(self, plane, stack, tmp_path):
        blur, out = tmp_path / "blur.json", tmp_path / "a.tif"
        succeed("estimate", stack, *OPTICS, "--out", blur)
        assert "2 planes" in fail("deblur", plane, "--blur", blur, "--out", out)
        assert "no file" in fail("deblur", tmp_path / "x.tif", "--blur", blur, "--out", out)
        blur.write_text("{}")
        assert "not a blur file" in fail("deblur", plane, "--blur", blur, "--out", out)
        assert "No such file" in fail("deblur", plane, "--blur", tmp_path / "x", "--out", out)
        assert not out.exists()

    def test_blur_of_other_pixels_is_told(self, stack, tmp_path):
        blur = tmp_path / "blur.json"
        succeed("estimate", stack, *OPTICS[:-1], "0.1", "--out", blur)
        result = succeed("deblur", stack, "--blur", blur, "--out", tmp_path / "a.tif")
        assert "warning: the blur was estimated for pixels of 0.1 µm" in result.stderr

    def test_channel(self, tmp_path):
        path = write(tmp_path / "two.tif", observed((2, 64, 64)), "CYX")
        out = tmp_path / "a.tif"
        assert "--channel 0 … 1" in fail("deblur", path, *OPTICS, "--out", out)
        assert "no channel 2" in fail("deblur", path, *OPTICS, "--out", out, "--channel", 2)
        succeed("deblur", path, *OPTICS, "--out", out, "--channel", 1)
        assert read_image(out).axes == "YX"


class TestInfo:
    def test_known_optics_give_a_verdict(self, stack):
        content = json.loads(
            succeed("info", stack, "--na", 1.4, "--wavelength", 0.52, "--json").stdout
        )
        assert content["axes"] == "ZYX"
        assert content["shape"] == [2, 64, 72]
        assert content["pixel_size_um"] == pytest.approx(0.09)
        assert content["cutoff"] == pytest.approx(1.4 * 0.09 / 0.52)
        assert "well sampled" in content["verdict"]

    @pytest.mark.parametrize(("size", "says"), [(0.15, "undersampled"), (1, "no blur left")])
    def test_verdict_on_coarse_pixels(self, plane, size, says):
        text = succeed("info", plane, *OPTICS, "--pixel-size", size).stdout
        assert says in text

    def test_unknown_optics(self, plane):
        text = succeed("info", plane).stdout
        assert "unknown" in text
        assert "cutoff" not in text


def test_models():
    assert "widefield-zernike" in succeed("models").stdout
    cards = json.loads(succeed("models", "--json").stdout)["models"]
    assert "widefield-zernike" in [card["name"] for card in cards]


class TestTrain:
    def config(self, tmp_path, extra=""):
        path = tmp_path / "run.yaml"
        path.write_text(
            "output: model\nsources: {points: {scene: points}}\n"
            f"stages: [{{n_crops: 8, mix: {{points: 1}}}}]\n{extra}"
        )
        return path

    def test_runs_the_job(self, tmp_path, monkeypatch):
        def job(kind, config):
            yield Progress(0, 2, "stage 1")
            yield Progress(2, 2, "stage 1")
            assert kind == "deblurring"
            return config.output

        monkeypatch.setattr("napari_deepblur.training.run.train_model_job", job)
        result = succeed("train", "deblurring", self.config(tmp_path), "--json")
        assert json.loads(result.stdout) == {"model": str(tmp_path / "model")}

    def test_bad_settings(self, tmp_path):
        assert "sharpness" in fail(
            "train", "identification", self.config(tmp_path, "sharpness: 11\n")
        )
        missing = tmp_path / "none.yaml"
        assert "No such file" in fail("train", "identification", missing)

    def test_missing_extra(self, tmp_path):
        # In a process of its own: modules without yaml must not stay behind.
        code = (
            "import sys; sys.modules['yaml'] = None; from napari_deepblur.cli import main;"
            f"sys.argv = ['deepblur', 'train', 'identification', {str(self.config(tmp_path))!r}];"
            "main()"
        )
        ended = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
        assert ended.returncode == 1
        assert "pip install 'napari-deepblur[train]'" in ended.stderr
        assert "Traceback" not in ended.stderr
