"""Our own files in napari: read as PSFs, layers written with what they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tifffile
from napari.layers import Image

import napari_deepblur as ndb
from helpers.calibrations import bead_table, calibrated
from helpers.layers import OPTICS, estimated, estimated_in_3d, known_layer
from napari_deepblur.io import read_image
from napari_deepblur.widgets.blur_reader import reader_of
from napari_deepblur.widgets.deblur.metadata import result_metadata
from napari_deepblur.widgets.layer_writer import write_ome_tiff
from napari_deepblur.widgets.layers.facts import pixel_size_of


def opened(viewer, path):
    return {layer.name: layer for layer in viewer.open(path, plugin="napari-deepblur")}


def test_a_blur_file_is_its_psf_at_its_size(viewer, tmp_path) -> None:
    path = tmp_path / "mine.deepblur.json"
    blur = ndb.ideal_blur(ndb.Optics(**OPTICS))
    blur.save(path)
    (layer,) = opened(viewer, path).values()
    assert layer.name == "PSF (mine)"
    np.testing.assert_allclose(layer.data, blur.psf(), atol=1e-6)
    assert pixel_size_of(layer) == OPTICS["pixel_size_um"]


def test_planes_and_volumes(tmp_path, tiny_model) -> None:
    path = str(tmp_path / "a.deepblur.json")
    blur = estimated(3, model=str(tiny_model)).blur
    replace(blur, coefficients=blur.coefficients / 4).save(path)
    ((psfs, arguments, _),) = reader_of(path)(path)
    assert psfs.shape[0] == 3
    assert arguments["axis_labels"] == ("plane", "y", "x")
    assert arguments["units"] == ("pixel", "micrometer", "micrometer")
    estimated_in_3d().blur.save(path, overwrite=True)
    ((psf, arguments, _),) = reader_of(path)(path)
    assert psf.ndim == 3
    assert arguments["scale"] == (0.5, 0.09, 0.09)


def test_a_calibration_and_models(viewer, tmp_path, tiny_model, tiny_varying_model) -> None:
    result = calibrated([bead_table(), bead_table(1)], (115, 115)).result
    beads = result.beads.assign(peak=900.0, background=100.0, residual_db=-20.0)
    replace(result, beads=beads, pixel_size_um=0.1).save(tmp_path / "monday")
    layers = opened(viewer, tmp_path / "monday" / "calibration.json")
    assert list(layers) == ["eigen-PSFs (monday)", "PSF (monday)"]
    assert len(layers["PSF (monday)"].data) == 2
    assert list(opened(viewer, tiny_model / "model.json")) == ["eigen-PSFs (tiny)"]
    varying = opened(viewer, tiny_varying_model / "model.json")
    assert list(varying) == ["eigen-PSFs (tiny-varying)"]


def test_files_of_others_are_left_to_others(tmp_path) -> None:
    for name in ("model.json", "calibration.json", "a.tif"):
        (tmp_path / name).write_text("{}")
        assert reader_of(str(tmp_path / name)) is None
    assert reader_of([str(tmp_path / "a.deepblur.json")]) is None


@pytest.mark.parametrize("shape", [(96, 112), (3, 96, 112)])
def test_a_result_is_saved_with_what_it_is(viewer, tmp_path, shape) -> None:
    source = known_layer(*shape)
    result = viewer.add_layer(known_layer(*shape, name="deblurred (cells)"))
    result.metadata = result_metadata("deblurred", source.name, estimated())
    result.data = result.data.astype(np.float32)
    path = tmp_path / "sharp.ome.tif"
    assert viewer.layers.save(str(path)) == [str(path)]
    file = read_image(path)
    np.testing.assert_array_equal(np.asarray(file.data), result.data)
    assert file.metadata.pixel_size_um == pytest.approx(0.09)
    assert file.metadata.wavelength_um == pytest.approx(0.52)
    assert file.metadata.z_step_um == (pytest.approx(0.5) if len(shape) == 3 else None)
    with tifffile.TiffFile(path) as written:
        assert "coefficients" in written.ome_metadata
        assert source.name in written.ome_metadata


def test_colour_is_refused(tmp_path) -> None:
    layer = Image(np.zeros((8, 8, 3), np.uint8), rgb=True, name="photo")
    data, meta, _ = layer.as_layer_data_tuple()
    with pytest.raises(ValueError, match="colour"):
        write_ome_tiff(str(tmp_path / "photo.ome.tif"), data, meta)


def test_other_tiffs_are_napari_s(viewer, tmp_path) -> None:
    viewer.add_layer(known_layer(96, 96))
    viewer.layers.save(str(tmp_path / "plain.tif"))
    with tifffile.TiffFile(tmp_path / "plain.tif") as written:
        assert written.ome_metadata is None
