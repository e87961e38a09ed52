"""What evaluation says of estimators whose worth is known."""

from __future__ import annotations

import math
from itertools import cycle

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.jobs import assert_reports_and_can_be_left
from napari_deepblur import BlurEstimate, evaluation
from napari_deepblur.engine.events import Progress, finish
from napari_deepblur.engine.models import load_model
from napari_deepblur.evaluation import (
    Bench,
    accuracy_job,
    accuracy_table,
    bench,
    draw_accuracy,
    markdown,
)
from napari_deepblur.evaluation.identification import more_data, photometry, robustness
from napari_deepblur.operators import EigenPsfSpace

STD = 0.01


def answers(monkeypatch, answer, *, module=bench, std=STD):
    """Let estimates be what `answer(image, per)` gives, shape (N, P)."""
    seen = []

    def estimate(image, *, optics, model, per="plane", **_):
        seen.append((np.array(image), optics))
        gamma = np.asarray(answer(image, per), np.float32)
        return BlurEstimate(gamma, np.full_like(gamma, std), optics, model.reference)

    def job(image, **options):
        yield Progress(0, 1, "estimating")
        return estimate(image, **options)

    if hasattr(module, "estimate_blur_job"):
        monkeypatch.setattr(module, "estimate_blur_job", job)
    else:
        monkeypatch.setattr(module, "estimate_blur", estimate)
    return seen


def in_turn(gamma, change=0.0):
    """An estimator that knows the images' order."""
    rows = cycle(gamma.numpy() + change)
    return lambda *_: next(rows)[None]


class TestAccuracy:
    def test_nearly_perfect_estimator(self, measured, monkeypatch):
        seen = answers(monkeypatch, in_turn(measured.coefficients, 1e-3))
        (result,) = finish(accuracy_job(measured, (0.0,)))
        assert result.psf_snr_5_percent > 30
        assert result.psf_snr_5_percent <= result.psf_snr_median <= result.psf_snr_95_percent
        assert result.coefficient_rmse_waves == pytest.approx(1e-3, rel=1e-3)
        assert result.coverage == 1
        assert result.strehl_error < 0.02
        assert (result.n, result.n_different) == (6, 4)
        assert {image.shape for image, _ in seen} == {(64, 64)}
        assert {round(optics.cutoff, 6) for _, optics in seen} == {0.25}

    def test_twin_is_as_good(self, measured, monkeypatch):
        twins = measured.model.family.admissible_set.twin(measured.coefficients)
        answers(monkeypatch, in_turn(twins, 1e-3))
        (result,) = finish(accuracy_job(measured, (0.0,)))
        assert result.psf_snr > 30
        assert result.coefficient_rmse_waves == pytest.approx(1e-3, rel=1e-3)

    def test_too_small_errors_do_not_cover(self, measured, monkeypatch):
        change = torch.tensor([3 * STD] * 3 + [STD] * 4)
        answers(monkeypatch, in_turn(measured.coefficients, change.numpy()))
        (result,) = finish(accuracy_job(measured, (0.0,)))
        assert result.coverage == pytest.approx(4 / 7, abs=0.01)

    def test_floors(self, tiny_model, images, monkeypatch):
        """Known of this family from many samples: −5 … −6, +4 and +2 dB."""
        many = Bench(load_model(tiny_model), images, 60, 32, device="cpu")
        answers(monkeypatch, in_turn(torch.zeros_like(many.coefficients)))
        (result,) = finish(accuracy_job(many, (0.0,)))
        assert result.floor_unaberrated == pytest.approx(-5.3, abs=1)
        assert result.floor_mean_psf == pytest.approx(4.2, abs=0.5)
        assert result.floor_random_psf == pytest.approx(1.7, abs=1)
        assert result.psf_snr == pytest.approx(result.floor_unaberrated)

    def test_noise_is_of_the_level_and_the_same_again(self, measured, monkeypatch):
        seen = answers(monkeypatch, in_turn(measured.coefficients))
        finish(accuracy_job(measured, (0.0, 0.05)))
        finish(accuracy_job(measured, (0.05,)))
        clean, noisy, again = ([image for image, _ in seen[k : k + 6]] for k in (0, 6, 12))
        for one, other, third in zip(clean, noisy, again, strict=True):
            assert (other - one).std() / one.max() == pytest.approx(0.05, rel=0.1)
            np.testing.assert_array_equal(other, third)

    def test_job(self, measured, monkeypatch):
        answers(monkeypatch, in_turn(measured.coefficients))
        assert_reports_and_can_be_left(lambda: accuracy_job(measured, (0.0, 0.1)))

    def test_table_and_picture(self, measured, monkeypatch, tmp_path):
        answers(monkeypatch, in_turn(measured.coefficients, 1e-3))
        results = finish(accuracy_job(measured, (0.0, 0.05)))
        table = accuracy_table(results)
        assert table.figures["blocks sigma=0.05 psf_snr"] == results[1].psf_snr
        assert f"**{results[0].psf_snr:.1f}**" in table.text
        assert "6 blurs in each row, on 4 blocks images." in table.text
        draw_accuracy(results, tmp_path / "new" / "accuracy.png")
        with Image.open(tmp_path / "new" / "accuracy.png") as picture:
            assert picture.width == 800


class TestRobustness:
    def test_faults_are_in_the_images(self, measured):
        clean = measured.blurred("blocks", measured.psf)
        usual = bench.noisy(clean, 0.01)
        by_name = dict(robustness._faulty_images(measured, "blocks", clean))
        names = iter(by_name)
        haze, uneven, hot, quantised, saturated = (by_name[name] for name in names)
        ratio = haze.sum((-2, -1)) / clean.sum((-2, -1))
        torch.testing.assert_close(ratio, torch.full((6,), 2.0), rtol=0.01, atol=0)
        smooth = torch.nn.functional.avg_pool2d(
            uneven[:, None], 16
        ) / torch.nn.functional.avg_pool2d(usual[:, None], 16)
        assert 0.65 < smooth.min() < 0.8
        assert 1.2 < smooth.max() < 1.35
        assert 0 < (hot != usual).float().mean() < 1e-3
        assert max(len(image.unique()) for image in quantised) <= 256
        peaks = saturated.amax((-2, -1), keepdim=True)
        assert (saturated == peaks).float().mean() == pytest.approx(5e-3, rel=0.2)

    def test_loss_of_what_a_fault_misleads(self, measured, monkeypatch):
        """An estimator that fails where hot pixels stand, and nowhere else."""
        rows = cycle(measured.coefficients.numpy() + 1e-3)

        def answer(image, _):
            isolated = image.max() > 1.5 * np.sort(image, axis=None)[-5]
            return (np.zeros(7) if isolated else 1) * next(rows)[None]

        big = Bench(measured.model, measured.images, 6, 128, device="cpu")
        seen = answers(monkeypatch, answer)
        table = finish(robustness.robustness_job(big))
        losses = {
            name.split(": ")[0]: value for name, value in table.figures.items() if "loss" in name
        }
        assert len(losses) == 9
        hot = losses.pop("blocks hot pixels, 0.01 %")
        assert hot > 1
        assert max(map(abs, losses.values())) < 1e-3
        cutoffs = {round(optics.cutoff, 6) for _, optics in seen}
        assert cutoffs == {0.15, 0.2, 0.25, 0.3, 0.35}
        assert {image.shape for image, _ in seen} == {(128, 128)}


class TestPhotometry:
    def test_largest_change(self, measured, monkeypatch):
        def answer(image, _):
            return np.full((1, 7), 0.05 + 0.01 * (image.max() > 10_000))

        answers(monkeypatch, answer, module=photometry)
        figures = finish(photometry.photometry_job(measured)).figures
        changed = {name.split(": ")[0] for name, value in figures.items() if value > 1e-6}
        assert changed == {"blocks gain × 100", "blocks uint16, × 257 (16 bit)"}
        assert figures["blocks gain × 100: change_waves"] == pytest.approx(0.01)

    def test_counts_are_the_same_in_every_type(self):
        image = np.arange(256, dtype=np.float32).reshape(16, 16)
        stored = {name: change(image) for name, change in photometry._VARIANTS.items()}
        np.testing.assert_array_equal(stored["uint8"], image)
        np.testing.assert_array_equal(stored["uint16, × 257 (16 bit)"] / 257, image)
        assert stored["uint16, × 16 (12 bit)"].dtype == np.uint16


class TestMoreData:
    def test_stack_beats_one_where_errors_cancel(self, measured, monkeypatch):
        """Each plane is wrong, their mean is right: together they must gain."""
        rng = np.random.default_rng(0)
        few = measured.coefficients[: measured.n_few].numpy()
        place = {"index": -1}

        def answer(image, per):
            place["index"] += 1
            gamma = few[place["index"] % len(few)]
            n_planes = len(image) if image.ndim == 3 else 16
            wrong = gamma + rng.normal(0, 0.05, (n_planes, 7))
            return wrong.mean(0, keepdims=True) if per == "stack" or image.ndim == 2 else wrong

        seen = answers(monkeypatch, answer)
        figures = finish(evaluation.FURTHER_QUESTIONS["more data"](measured)).figures
        gains = list(figures.values())
        assert len(gains) == 7
        assert all(gain > 1 for gain in gains)
        shapes = {image.shape for image, _ in seen}
        assert {(16, 64, 64), (256, 256), (8, 256, 256)} <= shapes

    def test_a_mosaic_shows_sixteen_images(self, measured):
        (name, folder) = next(iter(measured.images.items()))
        scene = more_data._mosaic(measured, name, 254, first=1)
        assert scene.shape == (254, 254)
        torch.testing.assert_close(scene[:64, :64], folder.centre_crop(1 % len(folder), 64))
        torch.testing.assert_close(scene[64:128, :64], folder.centre_crop(5 % len(folder), 64))

    def test_tiles_are_the_field(self):
        field = torch.arange(64.0).reshape(8, 8)
        tiles = more_data._tiles(field)
        assert tiles.shape == (16, 2, 2)
        torch.testing.assert_close(tiles[1], field[:2, 2:4])
        torch.testing.assert_close(tiles[4], field[2:4, :2])


class TestWrongModel:
    def test_no_answer_beats_the_best_of_the_family(self, measured, monkeypatch):
        # The tiny model's own space is too small to hold the nearest PSF.
        space = EigenPsfSpace.of(measured.model.family)
        monkeypatch.setattr(bench.Bench, "space", space)
        answers(monkeypatch, in_turn(measured.coefficients))
        figures = finish(evaluation.FURTHER_QUESTIONS["wrong model"](measured)).figures
        best = figures["wrong model: best_of_family_db"]
        known = figures["blocks sigma=0 wrong model: psf_snr_db"]
        # Knowing the seven modes is good, and the nearest PSF of the family is better.
        assert 8 < known < best + 0.3
        assert best < 30


class TestTiming:
    def test_speed(self, measured, monkeypatch):
        seen = answers(monkeypatch, in_turn(measured.coefficients))
        figures = finish(evaluation.FURTHER_QUESTIONS["speed"](measured)).figures
        assert 0 < figures["512 plane: seconds"] < 1
        assert figures["speed: threads"] == torch.get_num_threads()
        assert {image.shape for image, _ in seen} == {(512, 512)}
        assert len(seen) == 6


def test_every_question_can_be_put_to_a_model(tiny_model, images):
    """One blur, no stand-in: the figures of an untrained model are finite numbers."""
    one = Bench(load_model(tiny_model), images, 1, 64, device="cpu")
    for name, question in evaluation.FURTHER_QUESTIONS.items():
        table = finish(question(one))
        assert table.name == name
        assert all(math.isfinite(value) for value in table.figures.values())


def test_markdown():
    assert markdown(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
    with pytest.raises(ValueError, match="2 cells, got"):
        markdown(["a", "b"], [["1"]])
