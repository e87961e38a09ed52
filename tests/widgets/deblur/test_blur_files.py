"""Blurs of layers, kept, saved and loaded; without Qt."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from napari.layers import Image

from helpers.bench import Bench
from helpers.layers import (
    deblurred,
    estimated,
    spots,
)
from napari_deepblur.widgets.parts.tone import Tone
from napari_deepblur.widgets.tasks.task import Done


@pytest.fixture
def bench(layer: Image) -> Bench:
    return Bench(layer)


def test_each_layer_keeps_its_blur(bench: Bench) -> None:
    first = bench.controller.layer
    bench.controller.psf.estimate()
    bench.runner.on_end(Done(estimated()))
    other = bench.viewer.add_image(spots(64, 64), name="other")
    bench.controller.select(other)
    assert bench.view.show_blur.call_args.args[0] is None
    bench.controller.select(first)
    assert bench.view.show_blur.call_args.args[0].title == "cells"


def test_a_loaded_blur_is_used(bench: Bench, monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(
        "napari_deepblur.widgets.deblur.sharp_actions.deblur_or_ask_task",
        lambda *given: asked.append(given[2]),
    )
    loaded = estimated(per="stack")
    bench.controller.psf.load("blur.json")
    bench.runner.on_end(Done(loaded))
    assert bench.controller.settings.per == "stack"
    assert bench.view.show_blur.call_args.args[0].origin == "From blur.json"
    assert "from blur.json" in bench.message[1]
    # Until another one takes its place, whatever the settings are.
    bench.controller.settings.update({"numerical_aperture": 1.2, "per": "plane"})
    assert not bench.view.show_blur.call_args.args[0].outdated
    bench.controller.sharp.deblur()
    bench.runner.on_end(Done(deblurred(loaded, 128, 128)))
    bench.controller.psf.estimate()
    bench.runner.on_end(Done(estimated()))
    bench.controller.settings.numerical_aperture = 1.3
    bench.controller.sharp.deblur()
    assert asked == [loaded, None]


@pytest.mark.parametrize(
    ("name", "written"),
    [("blur1", "blur1.deepblur.json"), ("a.b", "a.b.deepblur.json"), ("c.json", "c.json")],
)
def test_a_blur_is_saved_as_a_file_that_can_be_found_again(
    bench: Bench, tiny_model, tmp_path, name: str, written: str
) -> None:
    bench.controller.psf.estimate()
    bench.runner.on_end(Done(estimated(model=str(tiny_model))))
    bench.controller.psf.save(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [written]
    assert bench.message == (Tone.GOOD, f"Saved the blur to {written}.")


def test_a_calibration_is_not_taken_for_a_model(bench: Bench, tmp_path) -> None:
    (tmp_path / "calibration.json").write_text("{}")
    bench.controller.psf.choose_model(tmp_path)
    tone, text = bench.message
    assert tone is Tone.ERROR
    assert "is a calibration and not yet a model" in text


def test_a_blur_file_is_read_for_the_layer(bench: Bench, monkeypatch) -> None:
    asked = []
    monkeypatch.setattr("napari_deepblur.widgets.deblur.psf_actions.load_task", asked.append)
    bench.controller.psf.load("blur.json")
    (request,) = asked
    assert request.blur == Path("blur.json")
    assert request.axes == "YX"
    assert request.optics.pixel_size_um == pytest.approx(0.09)


def test_a_blur_file_is_not_read_for_a_layer_that_cannot_be_used(bench: Bench) -> None:
    coloured = bench.viewer.add_image(np.zeros((64, 64, 3), np.uint8), rgb=True, name="colours")
    bench.controller.select(coloured)
    bench.controller.psf.load("blur.json")
    assert bench.message[0] is Tone.ERROR
    assert "colour" in bench.message[1]
    assert not bench.runner.started


def test_nothing_to_save(bench: Bench, tmp_path) -> None:
    bench.controller.psf.save(tmp_path / "blur.json")
    assert bench.message[0] is Tone.ERROR
    assert not list(tmp_path.iterdir())
