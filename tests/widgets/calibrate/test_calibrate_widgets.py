"""What is put into the small widgets of the dock "Calibrate from beads" comes out of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_deepblur.calibration.beads import BeadStatus
from napari_deepblur.calibration.trust import Trust
from napari_deepblur.widgets.calibrate.bead_legend import BeadLegend
from napari_deepblur.widgets.calibrate.drift_plot import DriftPlot
from napari_deepblur.widgets.calibrate.eigen_picture import EigenPicture
from napari_deepblur.widgets.calibrate.error_plot import ErrorPlot
from napari_deepblur.widgets.calibrate.field_picture import FieldPicture
from napari_deepblur.widgets.calibrate.result_panel import CalibrationPanel
from napari_deepblur.widgets.calibrate.view import (
    CalibrationSummary,
    Drift,
    EigenPsfPictures,
    OverField,
)
from napari_deepblur.widgets.parts.check_list import CheckList
from napari_deepblur.widgets.parts.optics_form import OpticsForm
from napari_deepblur.widgets.parts.psf_picture import Scaled

PSF = Scaled(np.eye(21, dtype=np.float32), 0.1)
PARTS = EigenPsfPictures(
    np.ones((4, 21, 21), np.float32),
    np.ones((4, 21, 28), np.float32),
    np.array([-9.0, -16, -21, -24.1, -24.2]),
    0.953,
)
FIELD = OverField(
    np.linspace(0.3, 0.452, 9).reshape(3, 3), (96, 128), np.array([[10.0, 20]]), np.zeros((0, 2))
)
SUMMARY = CalibrationSummary(
    "slide", Trust.GOOD, 187, 212, -24.1, (0.3, 0.452), PSF, PSF, FIELD, PARTS
)
DRIFT = Drift(("a", "b", "c"), ("mode 1", "mode 2"), np.arange(6, dtype=np.float32).reshape(3, 2))


def test_check_list_round_trip(qtbot) -> None:
    box = CheckList()
    qtbot.addWidget(box)
    with qtbot.assertNotEmitted(box.valueChanged):
        box.setChoices([("one", 1), ("two", 2), ("three", 3)])
        assert box.value() == []
        box.setValue([3, 1, 7])
    assert box.value() == [1, 3]
    assert box.choices() == [1, 2, 3]


def test_check_list_emits_ticks_and_may_be_filled_anew_by_who_hears(qtbot) -> None:
    box = CheckList()
    qtbot.addWidget(box)
    told = []

    def on_changed(value) -> None:
        told.append(value)
        box.setChoices([("one", "x"), ("two", "y")])
        box.setValue(["y"])

    box.setChoices([("one", 1), ("two", 2)])
    box.valueChanged.connect(on_changed)
    box.item(0).setCheckState(Qt.CheckState.Checked)
    assert told == [[1]]
    assert box.value() == ["y"]


def test_legend_shows_what_there_is(qtbot) -> None:
    legend = BeadLegend()
    qtbot.addWidget(legend)
    assert "Find beads" in legend.title.text()
    legend.setValue({BeadStatus.USED: 187, BeadStatus.CROWDED: 14, BeadStatus.BORDER: 6})
    assert legend.title.text().startswith("207 beads")
    shown = [label for label in legend.entries.values() if not label.isHidden()]
    assert [label.text().split("</b> ")[1] for label in shown] == [
        "187 used",
        "14 crowded",
        "6 border",
    ]
    assert all(label.toolTip() for label in shown)
    legend.setValue({})
    assert legend.title.text() == "No beads."
    legend.setValue(None)
    assert legend.value() is None
    assert all(label.isHidden() for label in legend.entries.values())


@pytest.fixture
def panel(qtbot) -> CalibrationPanel:
    panel = CalibrationPanel()
    qtbot.addWidget(panel)
    return panel


@pytest.mark.parametrize(
    ("changes", "name", "text"),
    [
        ({}, "title", "From slide: 187 of 212 beads"),
        ({}, "verdict", "✓ Good enough to deblur with."),
        ({}, "verdict", "is off by 6.2 %."),
        ({"trust": Trust.UNKNOWN, "error_db": None}, "verdict", "⚠ Of unknown quality"),
        ({"trust": Trust.ROUGH, "error_db": -8.1}, "verdict", "is off by 39 %."),
        ({}, "width", "0.300 µm (dark) to 0.452 µm (bright) wide"),
        ({"fwhm_um": (0.3, 0.3)}, "width", "0.300 µm wide all over"),
        ({"over_field": None}, "width", "0.452 µm wide, taken to be the same"),
    ],
)
def test_panel_says_what_it_means(panel: CalibrationPanel, changes, name: str, text: str) -> None:
    panel.setValue(replace(SUMMARY, **changes))
    assert text in getattr(panel, name).text()
    assert panel.notes.isHidden()
    assert panel.drift.isHidden()


def test_panel_shows_pictures(panel: CalibrationPanel) -> None:
    panel.setValue(SUMMARY)
    assert panel.value() is SUMMARY
    assert panel.sharpest.value() is panel.widest.value() is PSF
    assert panel.field.value() is FIELD
    assert panel.eigen_psfs.value() is panel.errors.value() is PARTS
    assert panel.parts.summary.text() == "4 hold 95 % of what varies"
    panel.setValue(replace(SUMMARY, over_field=None))
    assert panel.widest.isHidden()
    assert panel.field.isHidden()


def test_panel_shows_notes_and_drift(panel: CalibrationPanel) -> None:
    panel.setValue(replace(SUMMARY, notes=("few beads: 9 < 10",), drift=DRIFT))
    assert panel.notes.text() == "⚠ few beads: 9 < 10."
    assert not panel.drift.isHidden()
    panel.setValue(replace(SUMMARY, drift=Drift(("a", "b"), (), np.zeros((2, 0), np.float32))))
    assert panel.drift.isHidden()
    assert panel.notes.text() == "The PSF does not change between the acquisitions."
    panel.setValue(None)
    assert panel.value() is None


def test_dots_lie_where_the_beads_are(qtbot) -> None:
    picture = FieldPicture()
    qtbot.addWidget(picture)
    dark = replace(FIELD, fwhm_um=np.array([[0.3, 0.3], [0.3, 0.4]]), used=np.array([[24.0, 32]]))
    picture.setValue(dark)
    assert (picture.sizeHint().width(), picture.sizeHint().height()) == (213, 160)
    picture.resize(picture.sizeHint())
    seen = picture.grab().toImage()
    brightness = [seen.pixelColor(x, y).lightness() for x, y in ((54, 40), (20, 20), (200, 150))]
    assert brightness[0] > 200
    assert brightness[1] < brightness[2]


def test_eigen_psfs_are_orange_above_0_and_blue_below(qtbot) -> None:
    picture = EigenPicture()
    qtbot.addWidget(picture)
    signs = np.array([1, -1], np.float32)[:, None, None]
    picture.setValue(replace(PARTS, eigen_psfs=signs * np.ones((2, 9, 9)), maps=signs[:, :1, :1]))
    picture.resize(picture.sizeHint())
    seen = picture.grab().toImage()
    above, below = (seen.pixelColor(x, 30) for x in (30, 30 + 76))
    assert above.red() > 200 > below.red()
    assert below.blue() > 200 > above.blue()


def test_the_chosen_number_stands_out(qtbot) -> None:
    plot = ErrorPlot()
    qtbot.addWidget(plot)
    plot.setValue(PARTS)
    curve, chosen = plot._plot.listDataItems()
    np.testing.assert_allclose(curve.yData, 100 * 10 ** (PARTS.errors_db / 20))
    np.testing.assert_array_equal(chosen.xData, [4])
    plot.setValue(replace(PARTS, errors_db=np.zeros(0)))
    assert plot.isHidden()


def test_plot_draws_each_coefficient(qtbot) -> None:
    plot = DriftPlot()
    qtbot.addWidget(plot)
    plot.setValue(DRIFT)
    plot.setValue(DRIFT)
    assert plot.value() is DRIFT
    curves = plot._plot.listDataItems()
    np.testing.assert_array_equal([curve.yData for curve in curves], DRIFT.coefficients.T)
    assert plot.legend.text().count("●") == 2


def test_optional_values_are_not_asked_for(qtbot) -> None:
    form = OpticsForm(optional={"wavelength_um": "optional"})
    qtbot.addWidget(form)
    form.setValue({})
    assert form._sources["wavelength_um"].text() == "optional"
    assert form._sources["pixel_size_um"].text() == "fill in"
