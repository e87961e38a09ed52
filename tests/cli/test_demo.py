"""The demo: a sample in, files and figures beside the truth out."""

import json
from pathlib import Path

import numpy as np
import pytest

from helpers.command_line import succeed
from helpers.samples import sample_of
from napari_deepblur import BlurEstimate, VolumeBlurEstimate, load_blur
from napari_deepblur.cli.demo_figures import figures_of
from napari_deepblur.io import read_image


def test_podosomes(tmp_path):
    out = tmp_path / "demo"
    text = succeed("demo", "--out", out, "--no-gui").stdout
    for word in ("true", "estimated", "PSF-SNR", "PSNR", "residual / noise", str(out)):
        assert word in text
    for name in ("observed", "sharp", "deblurred"):
        image = read_image(out / f"{name}.ome.tif")
        assert image.shape == (512, 512)
        assert image.metadata.pixel_size_um == pytest.approx(0.09)
    content = json.loads(succeed("demo", "--out", out, "--overwrite", "--json").stdout)
    assert content["psf_snr"] > content["psf_snr_mean_psf"] > content["psf_snr_unaberrated"]
    assert content["psnr_deblurred"] > content["psnr_observed"]
    assert content["check"]["residual"] == pytest.approx([1], abs=0.5)
    assert all(Path(name).is_file() for name in content["written"])


@pytest.fixture
def nearly_true(monkeypatch):
    """Lets the engine find nearly the true 3-D blur of the lymphocyte at once."""
    sample = sample_of("lymphocyte")

    def answers(_, *, optics, **_known):
        assert optics == sample.optics
        yield from ()
        std = np.full_like(sample.coefficients, 0.01)
        return VolumeBlurEstimate(sample.coefficients + 0.002, std, sample.stack_optics)

    monkeypatch.setattr("napari_deepblur.engine.restore.estimate_volume_blur_job", answers)


def test_lymphocyte(tmp_path, nearly_true):
    out = tmp_path / "demo"
    arguments = ("demo", "--sample", "lymphocyte", "--no-gui", "--out", out)
    content = json.loads(succeed(*arguments, "--json").stdout)
    assert content["psf_snr"] > 20
    assert content["psf_snr_unaberrated"] < 5
    assert content["correlation_observed"] < 0.6
    assert content["correlation_deblurred"] > 0.9
    np.testing.assert_allclose(content["coefficients"], load_blur(out / "blur.json").coefficients)
    for name, shape in {
        "observed": (24, 96, 96),
        "sharp": (24, 96, 96),
        "psf": (31, 65, 65),
    }.items():
        image = read_image(out / f"{name}.ome.tif")
        assert (image.shape, image.axes) == (shape, "ZYX")
        assert image.metadata.z_step_um == pytest.approx(0.25)


def test_figures_of_a_stack_whose_planes_were_read_perfectly():
    sample = sample_of("spheroid")
    n_planes = len(sample.image)
    blur = BlurEstimate(
        sample.coefficients,
        np.zeros_like(sample.coefficients),
        sample.optics,
        "widefield-zernike",
        n_planes=n_planes,
    )
    figures = figures_of(sample, blur, sample.image.astype(np.float32))
    assert figures.values["psf_snr"] > 60
    assert figures.values["psnr_deblurred"] == pytest.approx(figures.values["psnr_observed"])
    assert any(f"mean of {n_planes} planes" in line for line in figures.lines)
