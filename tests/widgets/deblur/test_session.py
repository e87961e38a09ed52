"""Settings and results that outlive the dock and belong to a layer or a viewer, without Qt."""

from __future__ import annotations

import gc
import weakref

import pytest
from napari.components import ViewerModel
from napari.layers import Image

from helpers.bench import Bench
from helpers.layers import estimated, known_layer, spots
from napari_deepblur.widgets.deblur.session import Session
from napari_deepblur.widgets.tasks.task import Done


@pytest.fixture
def bench() -> Bench:
    """Two layers that know nothing of their optics; the first is chosen."""
    bench = Bench(Image(spots(64, 64), name="DAPI"), Image(spots(64, 64), name="GFP"))
    bench.controller.select(bench.viewer.layers["DAPI"])
    return bench


def test_typed_values_come_back_with_their_layer(bench: Bench) -> None:
    typed = {"numerical_aperture": 1.3, "wavelength_um": 0.461, "pixel_size_um": 0.09}
    bench.controller.settings.update(typed)
    bench.controller.select(bench.viewer.layers["GFP"])
    bench.controller.settings.wavelength_um = 0.52
    bench.controller.select(bench.viewer.layers["DAPI"])
    fields = bench.resolved.fields
    assert {name: fields[name].value for name in typed} == typed
    bench.controller.select(bench.viewer.layers["GFP"])
    assert bench.resolved.fields["wavelength_um"].value == 0.52
    assert "pixel_size_um" not in bench.resolved.fields


def test_another_channel_takes_the_objective_but_not_the_wavelength(bench: Bench) -> None:
    typed = {"numerical_aperture": 1.3, "refractive_index": 1.33, "wavelength_um": 0.461}
    bench.controller.settings.update(typed)
    bench.controller.select(bench.viewer.layers["GFP"])
    values = {name: known.value for name, known in bench.resolved.fields.items()}
    assert values == {"numerical_aperture": 1.3, "refractive_index": 1.33}


def test_a_focus_series_stays_one(bench: Bench) -> None:
    series = bench.viewer.add_layer(known_layer(3, 64, 64, name="series"))
    bench.controller.select(series)
    bench.controller.settings.focus_series = True
    bench.controller.select(bench.viewer.layers["GFP"])
    assert not bench.controller.settings.focus_series
    bench.controller.select(series)
    assert bench.resolved.z_step_um == 0.5


def test_a_dock_that_is_opened_again_knows_all_it_knew(tiny_varying_model) -> None:
    first = Bench(known_layer(96, 96, name="one"), known_layer(96, 96, name="two"))
    first.viewer.layers.selection.active = None
    first.controller.psf.choose_model(tiny_varying_model)
    first.controller.select(first.viewer.layers["one"])
    first.controller.settings.update({"per": "stack", "numerical_aperture": 1.2})
    first.controller.psf.estimate()
    first.runner.on_end(Done(estimated()))
    first.controller.close()
    first.viewer.layers.selection.active = None

    again = Bench(viewer=first.viewer)
    assert again.controller.layer.name == "one"
    assert (again.resolved.per, again.resolved.model) == ("stack", str(tiny_varying_model))
    assert again.resolved.fields["numerical_aperture"].value == 1.2
    assert str(tiny_varying_model) in again.view.show_models.call_args.args[0]
    assert again.view.show_blur.call_args.args[0].title == "one"
    again.controller.psf.estimate()
    again.runner.on_end(Done(estimated()))
    assert sorted(again.names) == ["PSF (one)", "one", "two"]


def test_viewers_share_nothing() -> None:
    one, other = Bench(known_layer(64, 64)), Bench(known_layer(64, 64))
    one.controller.settings.update({"per": "stack", "numerical_aperture": 1.2})
    one.controller.psf.estimate()
    other.controller.sharp.deblur()
    assert (len(one.runner.started), len(other.runner.started)) == (1, 1)
    one.runner.on_end(Done(estimated(per="stack")))
    assert other.controller.busy
    assert one.names == ["cells", "PSF (cells)"]
    assert other.names == ["cells"]
    assert other.resolved.per == "plane"
    other.controller.cancel()
    assert one.view.show_blur.call_args.args[0].title == "cells"


def test_two_docks_of_one_viewer_do_not_stop_each_other() -> None:
    one = Bench(known_layer(64, 64))
    other = Bench(viewer=one.viewer)
    one.controller.psf.estimate()
    other.controller.psf.estimate()
    other.controller.cancel()
    assert one.controller.busy
    assert one.runner.n_cancelled == 0
    one.runner.on_end(Done(estimated()))
    assert one.names == ["cells", "PSF (cells)"]


def test_a_session_ends_with_its_viewer() -> None:
    viewer = ViewerModel()
    session = weakref.ref(Session.of(viewer))
    assert Session.of(viewer) is session()
    del viewer
    gc.collect()
    assert session() is None
