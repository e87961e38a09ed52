"""Questions to models whose blur varies over the field, on few small images."""

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.command_line import run
from napari_deepblur import Optics
from napari_deepblur.engine.events import finish
from napari_deepblur.engine.models import Model, load_model
from napari_deepblur.evaluation import Bench, held_out
from napari_deepblur.evaluation.varying import operator_cost
from napari_deepblur.evaluation.varying.accuracy import varying_accuracy_job
from napari_deepblur.evaluation.varying.bench import field_snr_db, known_field, varying
from napari_deepblur.evaluation.varying.deblurring import (
    varying_deblurring_job,
    varying_strong_blur_job,
)
from napari_deepblur.evaluation.varying.operator_cost import operator_cost_job
from napari_deepblur.evaluation.varying.wide_blur import _gain, _Row, wide_blur_job
from napari_deepblur.training.data.sources import is_held_out

SIDE = 128


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two images of blocks that the rule holds out."""
    folder = tmp_path_factory.mktemp("held-out")
    rng = np.random.default_rng(0)
    paths = (folder / f"{number}.png" for number in range(1000))
    for path in [path for path in paths if is_held_out(path)][:2]:
        blocks = rng.integers(0, 255, (40, 40), np.uint8)
        Image.fromarray(blocks.repeat(5, 0).repeat(5, 1)).save(path)
    return folder


@pytest.fixture(scope="module")
def bench(tiny_varying_model, folder):
    images = held_out({"blocks": folder})
    return Bench(load_model(tiny_varying_model), images, 2, SIDE, device="cpu")


def test_observations_are_blurred_place_by_place(bench):
    first, second = varying(bench, "blocks", 0.0)
    assert first.image.shape == first.sharp.shape == (SIDE, SIDE)
    operator = bench.model.family.operator(first.gamma, (SIDE, SIDE))
    scene = bench.scenes("blocks", operator.domain_shape[0], 1)[0]
    torch.testing.assert_close(first.image, operator(scene), atol=1e-5, rtol=0)
    torch.testing.assert_close(first.sharp, operator.crop(scene))
    assert not torch.equal(first.gamma, second.gamma)


def test_field_snr_is_that_of_psfs_at_places(bench):
    family, gamma = bench.model.family, bench.coefficients[0]
    assert field_snr_db(family, gamma, gamma) > 100
    other = family.admissible_set.sample(1, seed=9)[0]
    assert 0 < field_snr_db(family, other, gamma) < 40
    # One PSF on a smaller window stands for the whole field.
    central = family.psf(gamma)[3:-3, 3:-3]
    assert 0 < field_snr_db(family, central, gamma) < field_snr_db(family, gamma, gamma)


def test_a_known_field_gives_the_true_psfs(bench):
    blur = known_field(bench, bench.coefficients[0])
    true = bench.model.family.psf_at(bench.coefficients[0], torch.tensor([[-1.0, 1.0]]))[0]
    np.testing.assert_allclose(blur.psf(position_yx=(-0.5, SIDE - 0.5)), true, atol=1e-6)


def test_accuracy_stands_beside_answers_that_know_less(bench):
    table = finish(varying_accuracy_job(bench))
    assert "| blocks | 0.01 | 2 |" in table.text
    for level in ("0", "0.01", "0.02", "0.05"):
        figures = {
            name.removeprefix(f"blocks sigma={level} "): value
            for name, value in table.figures.items()
            if name.startswith(f"blocks sigma={level} ")
        }
        assert {"psf_field_snr", "floor_mean_operator", "coverage"} <= set(figures)
        assert 0 <= figures["coverage"] <= 1
        # Of this family a PSF for the whole field is nearer than that of another microscope.
        assert figures["floor_central_psf"] > figures["floor_stationary_estimate"]


def test_deblurring_is_compared_with_one_psf_for_the_field(bench):
    table = finish(varying_deblurring_job(bench))
    name = "varying deblurring: blocks sigma=0.01"
    true = table.figures[f"{name}, network, true operator: ssim"]
    estimated = table.figures[f"{name}, network, estimated operator: ssim"]
    assert table.figures[f"{name}, estimated - true: ssim"] == pytest.approx(estimated - true)
    observed = table.figures[f"{name}, observed: psnr_db"]
    assert table.figures[f"{name}, Richardson–Lucy, true central PSF: psnr_db"] > observed


def test_strong_blur_takes_only_strongly_blurred_images(bench, monkeypatch):
    from napari_deepblur.evaluation.varying import deblurring as varying_deblurring

    monkeypatch.setattr(varying_deblurring, "_TOLERANCE", 0.0)
    table = finish(varying_strong_blur_job(bench))
    assert "| blocks | 0.01 … 0.05 | 0 |" in table.text


def test_cost_is_measured_by_a_convolution(bench, monkeypatch):
    monkeypatch.setattr(operator_cost, "_SIDE", 96)
    table = finish(operator_cost_job(bench))
    assert "| 96 × 96 | 3 |" in table.text
    assert table.figures["product_convolution_over_convolution 2048"] > 0


def test_the_command_asks_a_varying_model_its_own_questions(
    tiny_varying_model, folder, monkeypatch
):
    monkeypatch.setattr(operator_cost, "_SIDE", 96)
    done = run(
        "evaluate", "identification", "--model", tiny_varying_model, "--images", folder,
        "--n", 1, "--size", SIDE, "--device", "cpu",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "### PSF over the field" in done.output
    assert "### Cost of the operator" in done.output


def test_wide_blurs_are_asked_at_several_pixel_sizes(tiny_varying_model, folder):
    model = load_model(tiny_varying_model)
    made_for = Optics(
        numerical_aperture=0.8, wavelength_um=0.52, pixel_size_um=0.1625, refractive_index=1.333
    )
    assert model.card.identification is not None
    network = model.card.identification.model_copy(update={"cutoff_range": (0.2, 0.3)})
    card = model.card.model_copy(update={"made_for": made_for, "identification": network})
    bench = Bench(Model(model.folder, card), held_out({"blocks": folder}), 2, SIDE, device="cpu")
    table = finish(wide_blur_job(bench))
    for condition in ("0.25 | 20 photons", "0.2 | σ = 0.01", "0.3 | σ = 0.01"):
        assert f"| blocks | {condition} | 2 |" in table.text
    name = "blocks f_c=0.25 σ = 0.01"
    assert table.figures[f"{name} width_error"] >= 0
    # A family that varies is nearer to its own mean than to no aberration at all.
    figures = table.figures
    assert figures[f"{name} floor_mean_operator"] > figures[f"{name} floor_unaberrated"]


def test_a_gain_has_a_standard_error_where_there_are_several_blurs():
    rows = [_Row(10 + gain, 10, 0, 0, 0, 1, 1) for gain in (1.0, 2.0)]
    assert _gain(rows) == "**+1.5** ± 0.5"
    assert _gain(rows[:1]) == "**+1.0**"
