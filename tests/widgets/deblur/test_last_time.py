"""What is remembered until the next time, and what never is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from napari.layers import Image

from helpers.bench import Bench
from helpers.layers import OPTICS, estimated, known_layer, spots
from napari_deepblur.engine.models import DEFAULT_MODEL
from napari_deepblur.widgets.deblur.dock import DeblurDock
from napari_deepblur.widgets.deblur.judgement import Verdict
from napari_deepblur.widgets.last_time import LastTime, recall, remember
from napari_deepblur.widgets.tasks.task import Done

TYPED = {"numerical_aperture": 1.3, "wavelength_um": 0.6, "refractive_index": 1.406}


def bare(name: str = "bare") -> Image:
    return Image(spots(96, 96), name=name)


def worked(model: str | Path = DEFAULT_MODEL, **settings) -> None:
    """A first time: values are typed, and used."""
    bench = Bench(bare())
    wishes = TYPED | {"pixel_size_um": 0.1, "model": str(model)}
    bench.controller.settings.update(wishes | settings)
    bench.controller.psf.estimate()
    bench.runner.on_end(Done(estimated()))


def test_the_next_time_has_the_optics_with_their_source() -> None:
    worked()
    bench = Bench(bare())
    fields = bench.resolved.fields
    assert {name: fields[name].value for name in TYPED} == TYPED
    assert {fields[name].source for name in TYPED} == {"as last time"}
    # The pixel size is asked for: a wrong one gives no sign.
    assert "pixel_size_um" not in fields
    assert bench.resolved.verdict is Verdict.MISSING


def test_they_are_looked_at_before_the_first_estimate() -> None:
    worked()
    bench = Bench(bare())
    bench.controller.settings.pixel_size_um = 0.1
    assert bench.resolved.verdict is Verdict.REMEMBERED
    assert (
        bench.resolved.message == "As last time: NA 1.3, n 1.406, 600 nm. Is that this image, too?"
    )
    bench.controller.psf.estimate()
    assert not bench.runner.started
    assert "As last time" in bench.message[1]
    bench.controller.accept_remembered()
    assert bench.resolved.can_run
    assert {bench.resolved.fields[name].source for name in TYPED} == {"typed"}


def test_what_is_typed_instead_is_not_asked_about() -> None:
    worked()
    bench = Bench(bare())
    bench.controller.settings.update({"pixel_size_um": 0.1, "wavelength_um": 0.52})
    assert bench.resolved.message == "As last time: NA 1.3, n 1.406. Is that this image, too?"
    bench.controller.settings.update({"numerical_aperture": 1.3, "refractive_index": 1.406})
    assert bench.resolved.verdict is Verdict.WELL_SAMPLED


def test_an_objective_that_was_typed_is_looked_at_again_at_the_next_layer() -> None:
    bench = Bench(bare("red"), bare("blue"))
    bench.controller.settings.update(TYPED | {"pixel_size_um": 0.1})
    first = bench.controller.layer
    bench.controller.select(next(one for one in bench.viewer.layers if one != first))
    bench.controller.settings.update({"pixel_size_um": 0.1, "wavelength_um": 0.46})
    assert bench.resolved.verdict is Verdict.REMEMBERED
    assert bench.resolved.message == "As last time: NA 1.3, n 1.406. Is that this image, too?"
    bench.controller.accept_remembered()
    assert bench.resolved.can_run
    bench.controller.select(first)
    assert bench.resolved.fields["numerical_aperture"].source == "typed"


def test_what_the_file_of_the_next_layer_says_goes_before_what_was_typed(layer: Image) -> None:
    bench = Bench(bare("red"))
    bench.controller.settings.update(TYPED | {"pixel_size_um": 0.1})
    bench.viewer.add_layer(layer)
    bench.controller.select(layer)
    assert bench.resolved.optics.numerical_aperture == OPTICS["numerical_aperture"]
    assert bench.resolved.can_run


def test_values_of_last_time_are_marked_and_asked_about_in_the_dock(viewer) -> None:
    worked()
    viewer.add_layer(bare())
    dock = DeblurDock(viewer)
    form, button = dock.image.optics_form, dock.image.accept_remembered
    assert form._sources["numerical_aperture"].styleSheet()
    assert not form._sources["pixel_size_um"].styleSheet()
    assert button.isHidden()
    dock.controller.settings.pixel_size_um = 0.1
    assert not button.isHidden()
    assert dock.image.verdict.text().startswith("⚠ As last time")
    assert not dock.run_bar.estimate.isEnabled()
    button.click()
    assert button.isHidden()
    assert dock.run_bar.estimate.isEnabled()
    assert not form._sources["numerical_aperture"].styleSheet()
    dock.controller.close()


def test_neither_pixel_size_nor_z_step_is_ever_written(settings_file: Path) -> None:
    worked(z_step_um=0.3, light_sheet_fwhm_um=2)
    assert set(json.loads(settings_file.read_text())) == {*TYPED, "model", "device"}


def test_model_scope_and_device_come_back(tiny_model) -> None:
    worked(tiny_model, per="stack", device="cpu")
    bench = Bench(known_layer(96, 96))
    settings = bench.controller.settings
    assert (settings.model, settings.per, settings.device) == (str(tiny_model), "stack", "cpu")
    assert str(tiny_model) in bench.view.show_models.call_args.args[0]
    assert bench.resolved.as_last_time == {"model", "per", "device"}
    assert bench.resolved.note_of("per") == "as last time"
    settings.per = "plane"
    assert bench.resolved.note_of("per") == ""


def test_a_model_that_does_not_fit_the_image_is_not_proposed_again() -> None:
    remember(model="spim")
    bench = Bench(bare())
    assert bench.resolved.model == DEFAULT_MODEL
    oil = {"numerical_aperture": 1.4, "refractive_index": 1.518, "wavelength_um": 0.52}
    bench.controller.settings.update(oil | {"pixel_size_um": 0.1})
    assert bench.resolved.model == DEFAULT_MODEL
    assert "model" not in bench.resolved.as_last_time
    bench.controller.psf.estimate()
    bench.runner.on_end(Done(estimated()))
    assert recall().model == "spim"


def test_a_model_that_fits_the_image_is_proposed_as_last_time() -> None:
    remember(model="spim")
    bench = Bench(bare())
    water = {"numerical_aperture": 0.8, "refractive_index": 1.333, "wavelength_um": 0.52}
    bench.controller.settings.update(water | {"pixel_size_um": 0.16})
    assert bench.resolved.model == "spim"
    assert bench.resolved.note_of("model") == "as last time"
    bench.controller.settings.model = DEFAULT_MODEL
    bench.controller.settings.pixel_size_um = 0.17
    assert bench.resolved.model == DEFAULT_MODEL


def test_a_model_that_is_gone_is_not_asked_for(tmp_path) -> None:
    remember(model=str(tmp_path / "gone"), per="stack")
    settings = Bench(bare()).controller.settings
    assert (settings.model, settings.per) == (DEFAULT_MODEL, "stack")


def test_what_an_image_says_goes_first_and_is_not_remembered(layer: Image) -> None:
    worked()
    bench = Bench(layer)
    assert bench.resolved.optics.wavelength_um == OPTICS["wavelength_um"]
    bench.controller.psf.estimate()
    bench.runner.on_end(Done(estimated()))
    assert recall().wavelength_um == TYPED["wavelength_um"]


def test_an_objective_is_remembered_as_one() -> None:
    worked()
    half = {"deepblur": {"optics": {"refractive_index": 1.0}}}
    fields = Bench(known_layer(96, 96, metadata=half)).resolved.fields
    assert "numerical_aperture" not in fields


def test_another_channel_is_asked_for_its_wavelength() -> None:
    worked()
    bench = Bench(bare("red"), bare("blue"))
    first = bench.controller.layer
    assert "wavelength_um" in bench.resolved.fields
    bench.controller.select(next(one for one in bench.viewer.layers if one != first))
    assert "wavelength_um" not in bench.resolved.fields
    assert bench.resolved.fields["numerical_aperture"].source == "as last time"


@pytest.mark.parametrize(
    "content",
    [b"", b"no json", b"[1]", b'{"numerical_aperture": "wide"}', b'{"per": 3}', b"\xff\xfe", b"{}"],
    ids=repr,
)
def test_a_broken_file_breaks_nothing(settings_file: Path, content: bytes) -> None:
    settings_file.write_bytes(content)
    assert recall() == LastTime()
    assert Bench(bare()).controller.settings.model == DEFAULT_MODEL
    worked()
    assert recall().numerical_aperture == 1.3


def test_what_a_later_version_wrote_is_passed_over(settings_file: Path) -> None:
    settings_file.write_text('{"per": "stack", "mood": "good"}')
    assert recall() == LastTime(per="stack")


def test_where_nothing_can_be_written_nothing_is(monkeypatch, tmp_path) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "last-time.json"
    monkeypatch.setattr("napari_deepblur.widgets.last_time.settings_file", lambda: path)
    worked()
    assert recall() == LastTime()


def test_dialogs_open_where_the_last_one_was(qtbot, monkeypatch, tmp_path) -> None:
    from qtpy.QtWidgets import QFileDialog, QWidget

    from napari_deepblur.widgets.parts.file_choice import choose_file, choose_new_file

    started = []

    def open_at(_parent, _title, folder, _kinds):
        started.append(folder)
        return str(tmp_path / "a.json"), ""

    monkeypatch.setattr(QFileDialog, "getOpenFileName", open_at)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", open_at)
    parent = QWidget()
    qtbot.addWidget(parent)
    choose_file(parent, "Load", "")
    choose_new_file(parent, "Save", "b.json", "")
    assert started == ["", str(tmp_path / "b.json")]
