"""What is put into a widget comes out of it, and only edits emit."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_deepblur.engine.events import Progress
from napari_deepblur.widgets.blur_panel import BlurPanel
from napari_deepblur.widgets.choice_box import ChoiceBox
from napari_deepblur.widgets.layer_facts import Known
from napari_deepblur.widgets.number_edit import NumberEdit
from napari_deepblur.widgets.optics_form import OpticsForm
from napari_deepblur.widgets.run_bar import RunBar
from napari_deepblur.widgets.vertical_scroll_area import VerticalScrollArea
from napari_deepblur.widgets.view import BlurTable


@pytest.mark.parametrize("value", [None, 0.0, 0.065, 1.518, 520.0, -1.0, 1e-5])
def test_number_edit_round_trip(qtbot, value: float | None) -> None:
    edit = NumberEdit()
    qtbot.addWidget(edit)
    with qtbot.assertNotEmitted(edit.valueChanged):
        edit.setValue(value)
    assert edit.value() == value


@pytest.mark.parametrize(("text", "value"), [("0.52", 0.52), ("0,52", 0.52), ("", None)])
def test_number_edit_emits_what_was_typed(qtbot, text: str, value: float | None) -> None:
    edit = NumberEdit()
    qtbot.addWidget(edit)
    edit.setValue(7)
    edit.clear()
    qtbot.keyClicks(edit, text)
    with qtbot.waitSignal(edit.valueChanged) as signal:
        qtbot.keyClick(edit, Qt.Key.Key_Return)
    assert signal.args == [value]


def test_number_edit_takes_only_numbers(qtbot) -> None:
    edit = NumberEdit()
    qtbot.addWidget(edit)
    qtbot.keyClicks(edit, "a1b.c5 µm")
    assert edit.value() == 1.5


def test_choice_box_round_trip(qtbot) -> None:
    box = ChoiceBox()
    qtbot.addWidget(box)
    with qtbot.assertNotEmitted(box.valueChanged):
        box.setChoices([("one per plane", "plane"), ("one per stack", "stack")])
        for value in ("stack", "plane"):
            box.setValue(value)
            assert box.value() == value
        box.setValue("other")
    assert box.value() is None
    assert box.choices() == ["plane", "stack"]


def test_choice_box_emits_the_value(qtbot) -> None:
    box = ChoiceBox()
    qtbot.addWidget(box)
    box.setChoices([("A", 1), ("B", 2)])
    with qtbot.waitSignal(box.valueChanged) as signal:
        qtbot.keyClick(box, Qt.Key.Key_Down)
    assert signal.args == [2]


def test_optics_form_round_trip(qtbot) -> None:
    form = OpticsForm()
    qtbot.addWidget(form)
    values = {"numerical_aperture": 1.4, "refractive_index": 1.33}
    with qtbot.assertNotEmitted(form.valueChanged):
        form.setValue({name: Known(value, "metadata") for name, value in values.items()})
    assert form.value() == values
    form.setValue({})
    assert form.value() == {}


def test_optics_form_emits_name_and_value(qtbot) -> None:
    form = OpticsForm()
    qtbot.addWidget(form)
    qtbot.keyClicks(form.field("wavelength_um"), "0.6")
    with qtbot.waitSignal(form.valueChanged) as signal:
        qtbot.keyClick(form.field("wavelength_um"), Qt.Key.Key_Return)
    assert signal.args == ["wavelength_um", 0.6]


def test_blur_panel_round_trip(qtbot) -> None:
    panel = BlurPanel()
    qtbot.addWidget(panel)
    numbers = np.array([0.1, -0.05], np.float32)
    std = np.array([0.01, 0.005], np.float32)
    table = BlurTable("cells", ("defocus", "coma"), numbers, std, np.eye(5), 0.1)
    panel.setValue(table)
    assert panel.value() is table
    texts = [[panel.table.item(row, column).text() for column in range(3)] for row in range(2)]
    assert texts == [["defocus", "+0.100", "±0.010"], ["coma", "-0.050", "±0.005"]]
    panel.setValue(None)
    assert panel.value() is None


def test_nothing_hides_behind_the_scroll_bar(qtbot) -> None:
    content, text = QWidget(), QLabel("short")
    QVBoxLayout(content).addWidget(text)
    area = VerticalScrollArea(content)
    qtbot.addWidget(area)
    area.show()
    text.setText("a text that is very much longer than it was before")
    qtbot.waitUntil(lambda: area.minimumWidth() > text.sizeHint().width())


def test_run_bar_shows_progress_and_state(qtbot) -> None:
    bar = RunBar()
    qtbot.addWidget(bar)
    bar.setValue(Progress(3, 15, "deblurring"))
    assert bar.value() == (3, 15)
    bar.set_state(busy=False, can_run=True)
    assert bar.estimate.isEnabled()
    assert bar.deblur.isEnabled()
    bar.set_state(busy=True, can_run=True)
    assert not bar.estimate.isEnabled()
    assert not bar.cancel.isHidden()
    with qtbot.waitSignal(bar.cancelClicked):
        bar.cancel.click()
