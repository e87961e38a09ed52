"""Copied Python and copied commands are run, and must give what the click gave."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image

import napari_deepblur as ndb
from helpers.bench import Bench
from helpers.command_line import run
from helpers.layers import OPTICS, known_layer, spots
from napari_deepblur.engine.batch_settings import read_settings
from napari_deepblur.engine.events import finish
from napari_deepblur.io import read_image, write_image
from napari_deepblur.widgets.parts.tone import Tone
from napari_deepblur.widgets.tasks.task import Done

MICROSCOPE = ndb.Optics(**OPTICS)


@pytest.fixture
def opened(tmp_path) -> ViewerModel:
    """A viewer with a stack that was read from a file, as napari reads it."""
    write_image(tmp_path / "cells.tif", spots(2, 96, 112), "ZYX", pixel_size_um=0.09)
    layer = Image(spots(2, 96, 112), name="cells")
    layer._source = layer.source.model_copy(update={"path": str(tmp_path / "cells.tif")})
    viewer = ViewerModel()
    viewer.add_layer(layer)
    return viewer


def bench_of(*layers: Image, viewer: ViewerModel | None = None) -> Bench:
    bench = Bench(*layers, viewer=viewer)
    typed = {name: value for name, value in OPTICS.items() if name != "pixel_size_um"}
    bench.controller.settings.update(typed | {"device": "cpu", "per": "plane"})
    return bench


def clicked(bench: Bench) -> np.ndarray:
    """Deblur as a click does."""
    bench.controller.sharp.deblur()
    result = finish(bench.runner.started[-1])
    bench.runner.on_end(Done(result))
    return result.sharp


def assert_same(found: np.ndarray, expected: np.ndarray) -> None:
    """Equal up to rounding: early iterations of the network go in half precision."""
    np.testing.assert_allclose(found, expected, rtol=3e-4, atol=1e-4 * np.ptp(expected))


def python_of(bench: Bench) -> np.ndarray:
    """Run the copied Python."""
    bench.controller.sharp.copy_as_python()
    text = bench.view.copy_text.call_args.args[0]
    names = {"viewer": bench.viewer}
    exec(text, names)
    return names["sharp"]


def command_of(bench: Bench) -> np.ndarray:
    """Run the copied command."""
    bench.controller.sharp.copy_as_command()
    words = shlex.split(bench.view.copy_text.call_args.args[0])
    assert words[:2] == ["deepblur", "deblur"]
    result = run(*words[1:])
    assert result.exit_code == 0, result.output
    return np.asarray(read_image(words[words.index("--out") + 1]).data)


@pytest.mark.parametrize("settings", [{"per": "plane"}, {"per": "stack"}, {"psf_source": "ideal"}])
def test_an_image_from_a_file(opened, tiny_model, settings) -> None:
    bench = bench_of(viewer=opened)
    bench.controller.settings.update({"model": str(tiny_model)} | settings)
    expected = clicked(bench)
    assert_same(python_of(bench), expected)
    assert bench.message == (Tone.GOOD, "Copied as Python.")
    assert_same(command_of(bench), expected)
    assert bench.message == (Tone.GOOD, "Copied as a command.")


def test_a_psf_file(opened, tmp_path) -> None:
    psf = (1e4 * ndb.ideal_blur(MICROSCOPE).psf()).astype(np.float32)
    write_image(tmp_path / "a bead.tif", psf, "YX")
    bench = bench_of(viewer=opened)
    chosen = {"psf_image": tmp_path / "a bead.tif", "psf_pixel_size_um": 0.1}
    bench.controller.settings.update({"psf_source": "psf"} | chosen)
    expected = clicked(bench)
    assert_same(python_of(bench), expected)
    assert_same(command_of(bench), expected)


def test_a_blur_from_a_file(opened, tmp_path) -> None:
    bench = bench_of(viewer=opened)
    ndb.ideal_blur(MICROSCOPE.model_copy(update={"pixel_size_um": 0.1})).save(tmp_path / "b.json")
    bench.controller.psf.load(tmp_path / "b.json")
    bench.runner.on_end(Done(finish(bench.runner.started[-1])))
    expected = clicked(bench)
    assert_same(python_of(bench), expected)
    assert_same(command_of(bench), expected)


def test_layers_without_files(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    psf = (1e4 * ndb.ideal_blur(MICROSCOPE).psf()).astype(np.float32)
    bench = bench_of(known_layer(96, 96))
    bead = bench.viewer.add_image(psf, name="bead", scale=(0.09, 0.09), units=("um", "um"))
    bench.controller.select(bench.viewer.layers["cells"])
    bench.controller.settings.update({"psf_source": "psf", "psf_image": bead.unique_id})
    expected = clicked(bench)
    assert_same(python_of(bench), expected)
    write_image(tmp_path / "cells.tif", bench.controller.layer.data, "YX")
    write_image(tmp_path / "bead.tif", psf, "YX")
    assert_same(command_of(bench), expected)
    first = "save 'cells' as cells.tif and 'bead' as bead.tif"
    assert bench.message == (Tone.GOOD, f"Copied as a command. Before you run it, {first}.")


def test_the_blur_of_another_layer(opened, tmp_path, monkeypatch, tiny_model) -> None:
    monkeypatch.chdir(tmp_path)
    bench = bench_of(viewer=opened)
    bench.controller.settings.model = str(tiny_model)
    (layer,) = opened.layers
    other = opened.add_image(layer.data, name="red", scale=layer.scale, units=layer.units)
    other.metadata["deepblur"] = {"optics": OPTICS | {"wavelength_um": 0.6}}
    bench.controller.select(other)
    bench.controller.psf.estimate()
    bench.runner.on_end(Done(finish(bench.runner.started[-1])))
    bench.controller.psf.save(tmp_path / "red.deepblur.json")
    bench.controller.select(layer)
    bench.controller.settings.psf_source = "layer"
    expected = clicked(bench)
    with pytest.warns(UserWarning, match="read at 0.6 µm, the image was taken at 0.52 µm"):
        assert_same(python_of(bench), expected)
    assert_same(command_of(bench), expected)
    first = "save the blur of 'red' as red.deepblur.json"
    assert bench.message == (Tone.GOOD, f"Copied as a command. Before you run it, {first}.")


def batch_of(bench: Bench, file: Path) -> np.ndarray:
    """Save for a batch, run the copied command, and return what it wrote of the first image."""
    bench.controller.sharp.save_for_batch(file)
    words = shlex.split(bench.view.copy_text.call_args.args[0])
    assert words[:2] == ["deepblur", "batch"]
    result = run(*words[1:], "--overwrite")
    assert result.exit_code == 0, result.output
    (written,) = Path(words[words.index("--out") + 1]).glob("cells*.ome.zarr")
    return np.asarray(read_image(written).data)


@pytest.mark.parametrize("settings", [{"per": "stack"}, {"psf_source": "ideal"}])
def test_a_batch_does_what_the_click_did(opened, tiny_model, tmp_path, settings) -> None:
    bench = bench_of(viewer=opened)
    bench.controller.settings.update({"model": str(tiny_model)} | settings)
    expected = clicked(bench)
    assert_same(batch_of(bench, tmp_path / "mine"), expected)
    saved = read_settings(tmp_path / "mine.yaml")
    # The pixel size is in the file of each image.
    assert (saved.optics.pixel_size_um, saved.optics.wavelength_um) == (None, 0.52)
    assert bench.message[1].startswith("Saved mine.yaml, and copied the command")


def test_a_batch_names_what_is_to_be_saved_first(tmp_path) -> None:
    bench = bench_of(known_layer(96, 96))
    bead = bench.viewer.add_image(spots(64, 64), name="bead", scale=(0.09,) * 2, units=("um",) * 2)
    bench.controller.select(bench.viewer.layers["cells"])
    bench.controller.settings.update({"psf_source": "psf", "psf_image": bead.unique_id})
    bench.controller.sharp.save_for_batch(tmp_path / "a.yml")
    assert f"save 'bead' as {tmp_path / 'bead.tif'}" in bench.message[1]
    saved = read_settings(tmp_path / "a.yml")
    assert saved.known.image == tmp_path / "bead.tif"
    # Nobody but the layer says the pixel size.
    assert saved.optics.pixel_size_um == OPTICS["pixel_size_um"]


def test_nothing_is_copied_where_nothing_could_run() -> None:
    bench = Bench(Image(spots(96, 96), name="bare"))
    bench.controller.sharp.copy_as_python()
    bench.controller.sharp.copy_as_command()
    assert bench.message[0] is Tone.ERROR
    bench.view.copy_text.assert_not_called()
