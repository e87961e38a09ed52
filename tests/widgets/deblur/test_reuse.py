"""The blur of one layer on other layers: channels, stacks, time points."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from helpers.bench import Bench
from helpers.layers import OPTICS, estimated, estimated_in_3d, known_layer
from napari_deepblur import load_blur
from napari_deepblur.engine.events import finish
from napari_deepblur.widgets.deblur.tasks import Estimated
from napari_deepblur.widgets.parts.tone import Tone
from napari_deepblur.widgets.tasks.task import Done


def channel(name: str, *shape: int, **optics):
    metadata = {"deepblur": {"optics": OPTICS | optics}}
    return known_layer(*shape, name=name, metadata=metadata)


def two(first: Estimated, *shape: int, others: tuple[int, ...] = (), **optics) -> Bench:
    """A bench at work on `blue`, beside `green` that has a blur already."""
    green, blue = channel("green", *shape), channel("blue", *(others or shape), **optics)
    bench = Bench(green, blue)
    model = getattr(first.blur, "model", "widefield")
    bench.controller.settings.update({"device": "cpu", "model": model})
    bench.controller.select(green)
    bench.controller.psf.estimate()
    named = replace(first, blur=replace(first.blur, source="green"))
    bench.runner.on_end(Done(named))
    bench.controller.select(blue)
    return bench


def show_psf(bench: Bench):
    bench.controller.psf.estimate()
    bench.runner.on_end(Done(finish(bench.runner.started[-1])))
    return bench.view.show_blur.call_args.args[0]


@pytest.fixture
def found(tiny_model) -> Estimated:
    return estimated(model=str(tiny_model))


def test_another_channel_has_the_same_aberrations_in_nm(found: Estimated) -> None:
    bench = two(found, 96, 96, wavelength_um=0.46)
    assert bench.resolved.known.source == "estimate"
    bench.controller.settings.psf_source = "layer"
    assert [name for name, _ in bench.resolved.known.layers] == ["green"]
    table = show_psf(bench)
    np.testing.assert_allclose(
        table.coefficients, found.blur.coefficients[0] * 0.52 / 0.46, rtol=1e-5
    )
    assert (table.optics.wavelength_um, table.outdated) == (0.46, "")
    assert table.origin == (
        "Read off 'green', at 520 nm: its aberrations, the same in nm, are 1.13 times as many waves"
    )
    assert "'blue' has the blur of 'green'." in bench.message[1]
    # The layer that it comes from is left as it was.
    bench.controller.select(bench.viewer.layers["green"])
    shown = bench.view.show_blur.call_args.args[0]
    assert (shown.origin, shown.outdated) == ("", "")
    assert bench.controller.settings.psf_source == "estimate"


def test_it_is_deblurred_with_it(found: Estimated) -> None:
    bench = two(found, 96, 96)
    bench.controller.settings.psf_source = "layer"
    bench.controller.sharp.deblur()
    bench.runner.on_end(Done(finish(bench.runner.started[-1])))
    own = bench.viewer.layers["deblurred, PSF of green (blue)"].metadata["deepblur"]
    np.testing.assert_allclose(own["coefficients"], found.blur.coefficients, atol=1e-6)


def test_a_new_estimate_of_the_other_layer_marks_it(found: Estimated) -> None:
    bench = two(found, 96, 96)
    bench.controller.settings.psf_source = "layer"
    show_psf(bench)
    green = bench.viewer.layers["green"]
    bench.controller.select(green)
    bench.controller.psf.estimate()
    bench.runner.on_end(Done(found))
    bench.controller.select(bench.viewer.layers["blue"])
    assert "the blur of 'green'" in bench.view.show_blur.call_args.args[0].outdated


def test_one_plane_serves_a_stack(found: Estimated) -> None:
    bench = two(found, 96, 96, others=(3, 96, 96))
    bench.controller.settings.psf_source = "layer"
    assert bench.resolved.known.planes == ()
    assert show_psf(bench).n_planes == 1


def test_of_other_planes_one_must_be_chosen(tiny_model) -> None:
    many = estimated(3, model=str(tiny_model))
    bench = two(many, 3, 96, 96, others=(2, 96, 96))
    bench.controller.settings.psf_source = "layer"
    assert "'green' has 3 blurs" in bench.resolved.known.ask
    assert not bench.resolved.can_run
    bench.controller.settings.blur_plane = 2
    table = show_psf(bench)
    np.testing.assert_allclose(table.coefficients, many.blur.coefficients[2], atol=1e-6)


def test_each_plane_has_its_own_where_they_fit(tiny_model) -> None:
    many = estimated(3, model=str(tiny_model))
    bench = two(many, 3, 96, 96)
    bench.controller.settings.psf_source = "layer"
    assert bench.resolved.known.planes[0] == ("each its own", None)
    assert show_psf(bench).n_planes == 3


def test_a_3d_blur(tiny_model) -> None:
    bench = two(estimated_in_3d(), 8, 64, 64, wavelength_um=0.46)
    bench.controller.settings.psf_source = "layer"
    assert bench.resolved.per == "volume"
    table = show_psf(bench)
    assert table.optics.wavelength_um == 0.46
    assert "'green', at 520 nm" in table.origin


def test_nothing_is_on_offer_before_there_is_a_blur() -> None:
    bench = Bench(channel("green", 96, 96), channel("blue", 96, 96))
    bench.controller.settings.psf_source = "layer"
    assert "No other layer has a blur yet" in bench.resolved.known.ask
    bench.controller.psf.estimate()
    assert not bench.runner.started


def test_the_other_layer_goes(found: Estimated) -> None:
    bench = two(found, 96, 96)
    bench.controller.settings.psf_source = "layer"
    show_psf(bench)
    bench.viewer.layers.remove("green")
    assert "No other layer" in bench.resolved.known.ask
    # What was made with it stays, marked.
    assert "'green'" in bench.view.show_blur.call_args.args[0].outdated


def test_saved_and_loaded_for_another_channel(found: Estimated, tmp_path) -> None:
    bench = two(found, 96, 96, wavelength_um=0.46)
    bench.controller.select(bench.viewer.layers["green"])
    bench.controller.psf.save(tmp_path / "green")
    assert load_blur(tmp_path / "green.deepblur.json").source == "green"
    bench.controller.select(bench.viewer.layers["blue"])
    bench.controller.psf.load(tmp_path / "green.deepblur.json")
    task = bench.runner.started[-1]
    told = []
    bench.runner.on_end(Done(finish(task, warn=told.append)))
    table = bench.view.show_blur.call_args.args[0]
    assert table.origin.startswith("Read off 'green', from green.deepblur.json, at 520 nm: its ab")
    assert "the image was taken at 0.46 µm" in told[0]
    text = "Loaded the blur of 'green' from green.deepblur.json for 'blue'."
    assert bench.message == (Tone.GOOD, text)


def test_a_typed_wavelength_stays_where_a_blur_is_loaded(found: Estimated, tmp_path) -> None:
    bench = two(found, 96, 96)
    bench.controller.select(bench.viewer.layers["green"])
    bench.controller.psf.save(tmp_path / "green")
    bench.controller.select(bench.viewer.layers["blue"])
    bench.controller.settings.update({"wavelength_um": 0.46})
    bench.controller.psf.load(tmp_path / "green.deepblur.json")
    bench.runner.on_end(Done(finish(bench.runner.started[-1], warn=lambda _text: None)))
    assert bench.controller.resolved.optics.wavelength_um == 0.46
    assert "at 520 nm" in bench.view.show_blur.call_args.args[0].origin
