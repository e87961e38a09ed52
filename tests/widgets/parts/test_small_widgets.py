"""What is put into a widget comes out of it, and only edits emit."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QTextDocument
from qtpy.QtWidgets import QApplication, QLabel, QVBoxLayout, QWidget

from napari_deepblur.engine.events import Progress
from napari_deepblur.widgets.deblur.run_bar import RunBar
from napari_deepblur.widgets.deblur.sections.deblur import DeblurSection
from napari_deepblur.widgets.deblur.view import ShownPsf
from napari_deepblur.widgets.layers.facts import Known
from napari_deepblur.widgets.parts.choice_box import ChoiceBox
from napari_deepblur.widgets.parts.folded_text import FoldedText
from napari_deepblur.widgets.parts.number_edit import LengthEdit, NumberEdit
from napari_deepblur.widgets.parts.optics_form import OpticsForm
from napari_deepblur.widgets.parts.plot import make_plot
from napari_deepblur.widgets.parts.progress_row import ProgressRow
from napari_deepblur.widgets.parts.text import breakable, literal, plain_label
from napari_deepblur.widgets.parts.vertical_scroll_area import VerticalScrollArea

PSF = ShownPsf(np.eye(5))


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


@pytest.mark.parametrize(("text", "value"), [("1e", 0.09), (".", 0.09), ("nm", 0.09), ("", None)])
def test_text_that_is_no_number_is_not_taken(qtbot, text: str, value: float | None) -> None:
    edit = LengthEdit()
    qtbot.addWidget(edit)
    edit.setValue(0.09)
    told = []
    edit.valueChanged.connect(told.append)
    edit.selectAll()
    qtbot.keyClicks(edit, text) if text else edit.clear()
    qtbot.keyClick(edit, Qt.Key.Key_Return)
    assert edit.value() == value
    assert edit.text() == ("" if value is None else "0.09")
    assert told == ([None] if value is None else [])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("461 nm", 0.461),
        ("461nm", 0.461),
        ("0.52 µm", 0.52),
        ("0,52 um", 0.52),
        ("  0.09 ", 0.09),
        ("0.09\n", 0.09),
        ("1e-3 mm", 1.0),
        ("-2", -2.0),
    ],
)
def test_pasted_lengths_are_understood(qtbot, text: str, value: float) -> None:
    edit = LengthEdit()
    qtbot.addWidget(edit)
    QApplication.clipboard().setText(text)
    edit.paste()
    with qtbot.waitSignal(edit.valueChanged) as signal:
        qtbot.keyClick(edit, Qt.Key.Key_Return)
    assert signal.args == [value]
    assert edit.text() == f"{value:.7g}"


def test_who_types_the_number_that_is_there_makes_it_his_own(qtbot) -> None:
    edit = NumberEdit()
    qtbot.addWidget(edit)
    edit.setValue(1.518)
    with qtbot.assertNotEmitted(edit.valueChanged):
        edit.editingFinished.emit()
    edit.selectAll()
    qtbot.keyClicks(edit, "1.518")
    with qtbot.waitSignal(edit.valueChanged) as signal:
        qtbot.keyClick(edit, Qt.Key.Key_Return)
    assert signal.args == [1.518]
    with qtbot.assertNotEmitted(edit.valueChanged):
        edit.editingFinished.emit()


def test_a_number_without_unit_takes_none(qtbot) -> None:
    edit = NumberEdit()
    qtbot.addWidget(edit)
    qtbot.keyClicks(edit, "1.4 nm")
    with qtbot.assertNotEmitted(edit.valueChanged):
        qtbot.keyClick(edit, Qt.Key.Key_Return)
    assert edit.value() is None


def test_a_task_whose_length_is_not_known_says_what_it_does(qtbot) -> None:
    row = ProgressRow()
    qtbot.addWidget(row)
    row.show()
    row.set_busy(busy=True)
    row.setValue(Progress(0, 0, "loading the model"))
    assert row.stage.isVisible()
    assert row.stage.text() == "Loading the model…"
    row.setValue(Progress(3, 15, "deblurring"))
    assert row.stage.text() == "Deblurring…"
    row.set_busy(busy=False)
    assert row.stage.isHidden()


@pytest.mark.parametrize("show", [literal, str])
def test_names_that_look_like_html_are_shown_as_they_are(qtbot, show) -> None:
    name = "<h1>big</h1> & <img src=x>"
    label = QLabel(show(name)) if show is literal else plain_label(name)
    qtbot.addWidget(label)
    document = QTextDocument()
    if label.textFormat() == Qt.TextFormat.PlainText:
        document.setPlainText(label.text())
    else:
        document.setHtml(label.text())
    assert document.toPlainText() == name


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


def test_the_section_tells_of_clicks_on_the_residual_only(qtbot) -> None:
    section = DeblurSection()
    qtbot.addWidget(section)
    with qtbot.assertNotEmitted(section.settingEdited):
        section.residual.setChecked(True)
    with qtbot.waitSignal(section.settingEdited) as signal:
        section.residual.click()
    assert signal.args == ["residual_layer", False]


def test_a_plot_takes_the_text_colour_that_a_theme_sets_later(qtbot) -> None:
    widget = QWidget()
    qtbot.addWidget(widget)
    plot = make_plot(widget, height=80, bottom="x (µm)")
    widget.setStyleSheet("QWidget { color: rgb(1, 200, 3); }")
    widget.show()
    assert plot.getAxis("bottom").textPen().color().getRgb()[:3] == (1, 200, 3)


LONG = "one two three four five six seven eight nine ten " * 4


@pytest.fixture
def folded(qtbot) -> FoldedText:
    folded = FoldedText()
    qtbot.addWidget(folded)
    folded.resize(220, 400)
    folded.show()
    return folded


def test_of_a_long_text_two_lines_are_seen(folded: FoldedText) -> None:
    folded.setText(LONG)
    seen, line = folded.headline, folded.headline.fontMetrics().lineSpacing()
    assert seen.text().endswith(" …")
    assert 1.5 * line < seen.heightForWidth(seen.width()) < 2.5 * line
    assert folded.text() == LONG
    folded.why.click()
    assert seen.text() == LONG
    folded.why.click()
    folded.resize(2000, 400)
    assert seen.text() == LONG
    assert folded.why.isHidden()


def test_details_are_seen_at_a_click(folded: FoldedText) -> None:
    folded.setText("short", "details")
    assert folded.headline.text() == "short"
    assert folded.details.isHidden()
    folded.why.click()
    assert not folded.details.isHidden()
    folded.setText("short")
    assert folded.why.isHidden()
    assert folded.details.isHidden()


def test_a_long_name_in_a_list_loses_its_middle(qtbot, monkeypatch) -> None:
    from qtpy.QtWidgets import QStylePainter

    drawn = []
    monkeypatch.setattr(
        QStylePainter, "drawControl", lambda _self, _what, option: drawn.append(option.currentText)
    )
    box = ChoiceBox()
    qtbot.addWidget(box)
    box.setChoices([("a_long_name_of_a_file_" * 4 + "end.tif", 1)])
    box.setValue(1)
    box.resize(180, 30)
    box.grab()
    assert "…" in drawn[-1]
    assert drawn[-1].startswith("a_l")
    assert drawn[-1].endswith(".tif")
    box.setPlaceholderText("choose")
    box.setValue(None)
    box.grab()
    assert drawn[-1] == "choose"


def test_a_long_name_in_a_message_can_be_broken() -> None:
    name = "a_long_name_of_a_file_end.tif"
    assert breakable(f"Deblurred {name}").replace("\u200b", "") == f"Deblurred {name}"
    assert breakable(name).count("\u200b") == name.count("_") + name.count(".")
    assert breakable("a_b.tif") == "a_b.tif"
