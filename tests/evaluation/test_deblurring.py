"""What evaluation says of restorations whose worth is known."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from itertools import cycle

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.jobs import assert_reports_and_can_be_left
from napari_deepblur import evaluation
from napari_deepblur.engine.events import finish
from napari_deepblur.engine.metrics import psnr
from napari_deepblur.evaluation import Bench, plane_cost
from napari_deepblur.evaluation.deblurring import (
    examples,
    flat_field,
    restoration,
    strong_blur,
)
from napari_deepblur.evaluation.deblurring import photometry as deblurring_photometry
from napari_deepblur.evaluation.deblurring import speed as deblurring_speed


@pytest.fixture
def perfect(measured, monkeypatch):
    """Whatever is deblurred comes back as the sharp field, but for next to nothing."""
    sharp = torch.stack([one.sharp for one in restoration.observations(measured, "blocks", 0.0)])
    fields = cycle(sharp.repeat_interleave(2, 0).numpy() + np.float32(1e-4))
    monkeypatch.setattr(restoration, "deblur", lambda *_, **__: next(fields))


def lacking_identification(bench):
    card = bench.model.card.model_copy(update={"identification": None})
    model = type(bench.model)(bench.model.folder, card)
    return Bench(model, bench.images, 2, bench.size, device="cpu")


class TestRestorations:
    @pytest.mark.usefixtures("perfect")
    def test_perfect_restoration(self, measured):
        """No shift, no other crop."""
        results = finish(evaluation.restorations_job(measured, (0.0,)))
        assert len(results) == 6
        assert min(one.true.psnr for one in results) > 70
        assert min(one.estimated.psnr for one in results) > 70
        assert min(one.true.ssim for one in results) > 0.99
        assert max(one.observed.psnr for one in results) < 40

    def test_without_identification(self, measured):
        results = finish(evaluation.restorations_job(lacking_identification(measured), (0.02,)))
        table = evaluation.DEBLURRING_TABLES["deblurring"](results)
        assert set(table.figures) == {
            f"blocks sigma=0.02 {figure}_{which}"
            for figure in ("psnr", "ssim")
            for which in ("observed", "true_operator")
        }
        assert "| – |" in table.text

    def test_the_same_images_again(self, measured):
        first, again = (restoration.observations(measured, "blocks", 0.05) for _ in range(2))
        for one, other in zip(first, again, strict=True):
            assert torch.equal(one.image, other.image)
        assert first[0].image.shape == first[0].sharp.shape == (64, 64)

    def test_job(self, measured):
        few = Bench(measured.model, measured.images, 2, 64, device="cpu")
        assert_reports_and_can_be_left(lambda: evaluation.restorations_job(few, (0.02,)))

    def test_inside_and_band(self):
        sharp = torch.rand(40, 40, generator=torch.Generator().manual_seed(0))
        image = sharp + 0.01
        image[:5] = sharp[:5] + 0.1
        inside, band = restoration._inside_and_band(image, sharp, 5)
        assert inside == pytest.approx(float(psnr(sharp + 0.01, sharp)), abs=0.01)
        assert band < inside - 10


class TestTables:
    @pytest.fixture
    def results(self):
        def one(images, level, psnr):
            return restoration.Restoration(
                images=images,
                noise_level=level,
                observed=restoration.Quality(20, 0.5),
                estimated=restoration.Quality(psnr, 0.7),
                true=restoration.Quality(psnr + 1, 0.8),
                observed_inside_and_band=(20, 21),
                true_inside_and_band=(psnr + 2, psnr),
            )

        return (one("cells", 0.02, 24), one("cells", 0.02, 26), one("cells", 0.05, 22))

    def test_deblurring(self, results):
        table = evaluation.DEBLURRING_TABLES["deblurring"](results)
        row = "| cells | 0.02 | 2 | 20.00 / 0.500 | **25.00 / 0.700** | 26.00 / 0.800 | +5.00 |"
        assert row in table.text
        assert table.figures["cells sigma=0.05 psnr_true_operator"] == 23
        assert table.figures["cells sigma=0.02 ssim_estimated_operator"] == pytest.approx(0.7)

    def test_borders(self, results):
        figures = evaluation.DEBLURRING_TABLES["borders"](results).figures
        assert figures == {
            "cells borders: difference_db": 2,
            "cells borders: observed_difference_db": -1,
        }


class TestStrongBlur:
    def test_cases_are_alike(self, measured, monkeypatch):
        usual = restoration.observations(measured, "blocks", 0.03)
        wanted = restoration.quality(usual[2].image, usual[2].sharp).ssim
        monkeypatch.setattr(strong_blur, "_SSIM", wanted)
        found = finish(strong_blur._choose_job(measured, "blocks", 30))
        assert any(torch.equal(one.image, usual[2].image) for one in found)
        similar = [restoration.quality(one.image, one.sharp).ssim for one in found]
        assert similar == pytest.approx([wanted] * len(similar), abs=0.03)

    def test_first_draw_is_enough_where_all_fit(self, measured, monkeypatch):
        monkeypatch.setattr(strong_blur, "_TOLERANCE", 2.0)
        found = finish(strong_blur._choose_job(measured, "blocks", 4))
        assert [one.noise_level for one in found] == [0.03] * 4
        usual = restoration.observations(measured, "blocks", 0.03)
        assert torch.equal(found[3].image, usual[3].image)

    def test_difference(self, measured, monkeypatch):
        monkeypatch.setattr(strong_blur, "_TOLERANCE", 2.0)
        one = Bench(measured.model, measured.images, 1, 64, device="cpu")
        table = finish(evaluation.DEBLURRING_QUESTIONS["strong blur"](one))
        figures = {
            name.removeprefix("blocks strong blur: "): v for name, v in table.figures.items()
        }
        assert figures["n"] == 1
        difference = figures["ssim_estimated"] - figures["ssim_true"]
        assert figures["ssim_difference"] == pytest.approx(difference)

    def test_no_case(self, measured, monkeypatch):
        monkeypatch.setattr(strong_blur, "_SSIM", 5.0)
        table = finish(evaluation.DEBLURRING_QUESTIONS["strong blur"](measured))
        assert table.figures == {"blocks strong blur: n": 0}
        assert "| blocks | 0 | – |" in table.text


class TestPhotometry:
    def test_product(self, measured):
        few = Bench(measured.model, measured.images, 3, 64, device="cpu")
        figures = finish(evaluation.DEBLURRING_QUESTIONS["deblurring photometry"](few)).figures
        assert len(figures) == 6
        # An untrained network, half of it in bfloat16, makes more of the counts' rounding than the
        # bundled one.
        assert max(figures.values()) < 1e-3

    def test_what_depends_on_the_gain_is_seen(self, measured, monkeypatch):
        def crooked(image, *_, **__):
            return image + (image > 10_000).astype(np.float32) * np.float32(0.01 * np.ptp(image))

        monkeypatch.setattr(deblurring_photometry, "deblur", crooked)
        figures = finish(evaluation.DEBLURRING_QUESTIONS["deblurring photometry"](measured)).figures
        changed = {name for name, value in figures.items() if value > 1e-4}
        assert changed == {
            f"blocks deblurring, {name}: relative_change"
            for name in ("gain × 100", "offset + 10 000", "gain × 7, offset + 1000")
        }
        assert max(figures.values()) == pytest.approx(0.01, rel=1e-3)


class TestFlatField:
    def figures(self, measured, monkeypatch, change):
        monkeypatch.setattr(flat_field, "restored", lambda _bench, image, _blur: change(image))
        few = Bench(measured.model, measured.images, 3, 64, device="cpu")
        return finish(evaluation.DEBLURRING_QUESTIONS["flat field"](few)).figures

    def test_nothing_done(self, measured, monkeypatch):
        figures = self.figures(measured, monkeypatch, lambda image: image)
        spreads = [value for name, value in figures.items() if name.endswith("spread")]
        assert spreads == pytest.approx([1] * 6)
        for name, value in figures.items():
            if name.endswith("spots_before"):
                assert value == figures[name.replace("before", "after")]

    def test_invented_spots_are_counted(self, measured, monkeypatch):
        def invent(image):
            peaks = image.clone()
            peaks[20:100:20, 30] += 10 * (image - image.mean()).std()
            return peaks

        figures = self.figures(measured, monkeypatch, invent)
        # Four in each of three fields.
        more = figures["flat sigma=0.03 flat field: spots_after"]
        assert more >= figures["flat sigma=0.03 flat field: spots_before"] + 12


class TestSpeed:
    def test_of_small_planes(self, measured, monkeypatch):
        monkeypatch.setattr(deblurring_speed, "_PLANES", ((96, 2), (160, 1)))
        figures = finish(evaluation.DEBLURRING_QUESTIONS["deblurring speed"](measured)).figures
        assert 0 < figures["160 plane, deblurring: seconds"] < 10
        assert 0.05 < figures["96 plane, deblurring: peak_gib"] < 2
        assert figures["deblurring speed: threads"] >= 1

    def test_memory_is_that_of_the_process_alone(self):
        """What the process that starts it holds does not count."""
        held = np.ones(2**25)  # 256 MiB
        code = "from napari_deepblur.evaluation.plane_cost import peak_memory_gib as p;"
        # Another process, as plain as can be.
        command = [sys.executable, "-c", f"{code} import json; print(json.dumps(p()))"]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        own = plane_cost.peak_memory_gib()
        assert own >= held.nbytes / 2**30
        assert 0 < json.loads(done.stdout) < own - 0.1


class TestExamples:
    def test_scenes_are_square_and_bright(self):
        scenes = examples._scenes()
        assert len(scenes) == 4
        for scene in scenes.values():
            assert min(scene.shape) >= 256
            assert (float(scene.min()), float(scene.max())) == (0, 1)

    def test_picture(self, measured, monkeypatch, tmp_path):
        noise = torch.rand(170, 180, generator=torch.Generator().manual_seed(0))
        monkeypatch.setattr(examples, "_scenes", lambda: {"one": noise, "other": 1 - noise})
        found = finish(evaluation.examples_job(measured))
        assert [one.name for one in found] == ["one", "other"]
        assert found[0].versions["sharp"][0].shape == (140, 150)
        evaluation.draw_examples(found, tmp_path / "new" / "examples.png")
        with Image.open(tmp_path / "new" / "examples.png") as picture:
            assert picture.width == 800

    def test_crop_shows_edges(self):
        image = torch.zeros(200, 300)
        image[40:140:2, 160:280] = 1
        rows, columns = examples._liveliest(image)
        assert (rows.start, columns.start) == (16, 160)


def test_every_question_can_be_put_to_a_model(measured, monkeypatch):
    """One blur, no stand-in: the figures of an untrained model are finite numbers."""
    monkeypatch.setattr(deblurring_speed, "_PLANES", ((64, 1),))
    one = Bench(measured.model, measured.images, 1, 64, device="cpu")
    for name, question in evaluation.DEBLURRING_QUESTIONS.items():
        table = finish(question(one))
        assert table.name == name
        assert all(math.isfinite(value) for value in table.figures.values())
