"""Functions of a layer, called by a script and by a form that magicgui makes of them."""

import numpy as np
import pytest
from magicgui import magicgui

from helpers.layers import known_layer
from napari_deepblur.errors import ImageError
from napari_deepblur.widgets.functions import deblur_layer, estimate_psf_of_layer


def test_a_script_deblurs_a_layer(tiny_model):
    layer = known_layer(2, 64, 64, axis_labels=("t", "y", "x"))
    data, arguments, kind = deblur_layer(layer, per="stack", model=str(tiny_model))
    assert kind == "image"
    assert data.shape == layer.data.shape
    assert float(np.abs(data - layer.data).max()) > 0
    np.testing.assert_array_equal(arguments["scale"], layer.scale)
    assert arguments["name"] == "deblurred, one PSF (cells)"
    assert "coefficients" in str(arguments["metadata"]["deepblur"])


def test_a_script_reads_a_psf(tiny_model):
    layers = estimate_psf_of_layer(known_layer(64, 64), model=str(tiny_model))
    assert [arguments["name"] for _, arguments, _ in layers] == ["PSF (cells)"]
    assert layers[0][0].sum() == pytest.approx(1, rel=1e-3)


def test_what_is_missing_is_asked_for(tiny_model):
    layer = known_layer(64, 64, units=("pixel", "pixel"), scale=(1, 1), metadata={})
    with pytest.raises(ImageError, match="numerical aperture"):
        deblur_layer(layer, model=str(tiny_model))
    optics = {"numerical_aperture": 1.4, "wavelength_um": 0.52, "refractive_index": 1.518}
    data, *_ = deblur_layer(layer, model=str(tiny_model), pixel_size_um=0.09, **optics)
    assert data.shape == (64, 64)


def test_a_form_adds_the_layer(viewer, tiny_model):
    viewer.add_layer(known_layer(64, 64))
    form = magicgui(deblur_layer, call_button="Deblur")
    viewer.window.add_dock_widget(form, name="my form")
    form.model.value = str(tiny_model)
    assert form.per.choices == (None, "plane", "stack", "volume")
    form()
    assert [layer.name for layer in viewer.layers] == ["cells", "deblurred (cells)"]
    assert viewer.layers[-1].units == viewer.layers[0].units
