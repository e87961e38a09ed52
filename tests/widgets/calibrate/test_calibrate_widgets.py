"""What is put into the small widgets of the dock "Calibrate from beads" comes out of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_deepblur.calibration.beads import BeadStatus
from napari_deepblur.widgets.calibrate.bead_legend import BeadLegend
from napari_deepblur.widgets.calibrate.drift_plot import DriftPlot
from napari_deepblur.widgets.calibrate.result_panel import CalibrationPanel
from napari_deepblur.widgets.calibrate.view import CalibrationSummary, Drift
from napari_deepblur.widgets.parts.check_list import CheckList
from napari_deepblur.widgets.parts.optics_form import OpticsForm

SUMMARY = CalibrationSummary("slide", 187, 212, 4, 0.99, 0.953, -24.1, (0.3, 0.452), 31)
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
    assert [label.text().split("</span> ")[1] for label in shown] == [
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


@pytest.mark.parametrize(
    ("changes", "name", "text"),
    [
        ({}, "beads", "187 of 212"),
        ({}, "eigen_psfs", "4, with 95.3% of what varies"),
        ({"n_eigen_psfs": 1}, "eigen_psfs", "1, the mean PSF"),
        ({}, "error", "-24.1 dB"),
        ({"error_db": None}, "error", "unknown: too few beads"),
        ({}, "fwhm", "0.300 to 0.452 µm"),
        ({"fwhm_um": (0.3, 0.3)}, "fwhm", "0.300 µm"),
    ],
)
def test_panel_shows_the_figures(qtbot, changes, name: str, text: str) -> None:
    panel = CalibrationPanel()
    qtbot.addWidget(panel)
    summary = replace(SUMMARY, **changes)
    panel.setValue(summary)
    assert panel.value() == summary
    assert panel.numbers[name].text() == text
    assert panel.notes.isHidden()
    assert panel.drift.isHidden()


def test_panel_shows_notes_and_drift(qtbot) -> None:
    panel = CalibrationPanel()
    qtbot.addWidget(panel)
    panel.setValue(replace(SUMMARY, notes=("few beads: 9 < 10",), drift=DRIFT))
    assert "few beads: 9 < 10" in panel.notes.text()
    assert not panel.drift.isHidden()
    panel.setValue(replace(SUMMARY, drift=Drift(("a", "b"), (), np.zeros((2, 0), np.float32))))
    assert panel.drift.isHidden()
    assert "does not change" in panel.title.text()
    panel.setValue(None)
    assert panel.value() is None


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
