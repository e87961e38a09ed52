"""Deblurred layers and their checks; without Qt."""

from __future__ import annotations

import pytest
from napari.layers import Image

from helpers.bench import Bench
from helpers.layers import (
    checked,
    deblurred,
    estimated,
    known_layer,
    spots,
)
from napari_deepblur.widgets.parts.tone import Tone
from napari_deepblur.widgets.tasks.task import Done


@pytest.fixture
def bench(layer: Image) -> Bench:
    return Bench(layer)


def test_deblur_estimates_first_only_where_needed(bench: Bench, monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(
        "napari_deepblur.widgets.deblur.sharp_actions.deblur_or_ask_task",
        lambda *given: asked.append(given[2]),
    )
    bench.controller.sharp.deblur()
    bench.runner.on_end(Done(deblurred(estimated(), 128, 128)))
    bench.controller.sharp.deblur()
    bench.runner.on_end(Done(deblurred(asked[1], 128, 128)))
    bench.controller.settings.numerical_aperture = 1.3
    bench.controller.sharp.deblur()
    assert asked[0] is None
    assert asked[1] is not None
    assert asked[2] is None
    # The second one has the very same settings and so takes the place of the first.
    assert bench.names == ["cells", "PSF (cells)", "deblurred (cells)"]


def test_deblurring_shows_its_check(bench: Bench) -> None:
    bench.view.show_check.assert_called_with(None)
    bench.controller.sharp.deblur()
    bench.runner.on_end(Done(deblurred(estimated(), 128, 128)))
    table = bench.view.show_check.call_args.args[0]
    assert (table.title, table.n_planes, table.concerns) == ("cells", 1, ())
    assert table.residual == pytest.approx((1, 1, 1))
    assert table.flux_moved == pytest.approx((0.1, 0.1, 0.1))
    assert bench.message == (Tone.GOOD, "Deblurred 'cells', residual 1.0 × noise.")


def test_the_check_follows_the_slider() -> None:
    bench = Bench(known_layer(3, 64, 64))
    bench.controller.sharp.deblur()
    concerns = ((), ("not explained: by far",), ())
    result = deblurred(estimated(3), 3, 64, 64, check=checked(3, concerns=concerns))
    bench.runner.on_end(Done(result))
    for plane in (2, 0, 1):
        bench.viewer.dims.set_point(0, 0.5 * plane)
        table = bench.view.show_check.call_args.args[0]
        assert table.title == f"cells, plane {plane}"
        assert table.residual == pytest.approx((1 + plane / 10, 1.1, 1.2))
        assert table.border_ringing == pytest.approx((0.5 + plane, 1.5, 2.5))
        assert table.concerns == concerns[plane]
        assert (table.flagged, table.n_planes) == ((1,), 3)
    tone, text = bench.message
    assert tone is Tone.WARNING
    assert "median residual 1.1 × noise" in text
    assert "1 of 3 planes is in doubt: see the section Deblur" in text


def test_one_blur_for_the_stack_has_a_check_for_each_plane() -> None:
    bench = Bench(known_layer(3, 64, 64))
    bench.controller.settings.per = "stack"
    bench.controller.sharp.deblur()
    bench.runner.on_end(Done(deblurred(estimated(per="stack"), 3, 64, 64)))
    bench.viewer.dims.set_point(0, 1)
    assert bench.view.show_check.call_args.args[0].title == "cells, plane 2"
    assert bench.view.show_blur.call_args.args[0].title == "cells"


@pytest.mark.parametrize("event", ["new blur", "pixels", "other layer"])
def test_a_check_that_does_not_belong_any_more_goes(bench: Bench, event: str) -> None:
    bench.controller.sharp.deblur()
    bench.runner.on_end(Done(deblurred(estimated(), 128, 128)))
    assert bench.view.show_check.call_args.args[0] is not None
    if event == "new blur":
        bench.controller.psf.estimate()
        bench.runner.on_end(Done(estimated()))
    elif event == "pixels":
        bench.viewer.layers["cells"].data = spots(128, 128, seed=1)
    else:
        bench.controller.select(bench.viewer.add_image(spots(64, 64)))
    bench.view.show_check.assert_called_with(None)


def test_a_residual_layer_lies_beneath_the_deblurred_one(bench: Bench, monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(
        "napari_deepblur.widgets.deblur.sharp_actions.deblur_or_ask_task",
        lambda *given: asked.append(given[1]),
    )
    bench.controller.sharp.deblur()
    bench.runner.on_end(Done(deblurred(estimated(), 128, 128)))
    assert bench.names == ["cells", "PSF (cells)", "deblurred (cells)"]
    bench.controller.settings.residual_layer = True
    bench.controller.sharp.deblur()
    bench.runner.on_end(Done(deblurred(estimated(), 128, 128, residual=True)))
    assert [wanted.residual_layer for wanted in asked] == [False, True]
    assert bench.names[2:] == ["residual (cells)", "deblurred (cells)"]
    assert bench.viewer.layers.selection.active.name == "deblurred (cells)"
    listed = [layer.name for layer in bench.view.show_layers.call_args.args[0]]
    assert listed == ["cells"]


def test_results_lie_directly_above_their_image(bench: Bench) -> None:
    bench.viewer.add_layer(known_layer(128, 128, name="other"))
    bench.controller.select(bench.viewer.layers["cells"])
    bench.controller.settings.residual_layer = True
    bench.controller.sharp.deblur()
    bench.runner.on_end(Done(deblurred(estimated(), 128, 128, residual=True)))
    ours = ["cells", "PSF (cells)", "residual (cells)", "deblurred (cells)"]
    assert bench.names == [*ours, "other"]
    # One that was moved away comes back when it is made anew.
    bench.viewer.layers.move(3, 0)
    bench.controller.sharp.deblur()
    bench.runner.on_end(Done(deblurred(estimated(), 128, 128, residual=True)))
    assert bench.names == [*ours, "other"]


def test_another_estimate_draws_nothing_that_is_in_place(bench: Bench) -> None:
    bench.controller.psf.estimate()
    bench.runner.on_end(Done(estimated()))
    psf, moves = bench.viewer.layers["PSF (cells)"], []
    for name in ("scale", "translate", "rotate", "shear", "affine", "units"):
        getattr(psf.events, name).connect(moves.append)
    bench.controller.psf.estimate()
    bench.runner.on_end(Done(estimated()))
    assert not moves
    bench.viewer.layers["cells"].translate = (1, 2)
    assert moves
