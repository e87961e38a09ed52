"""Panels of the PSF and of the check: what is put in is shown, and doubts are said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QWidget

from napari_deepblur.engine.concerns import Concern
from napari_deepblur.engine.psf_field import PsfWidth
from napari_deepblur.widgets.deblur.blur_panel import BlurPanel
from napari_deepblur.widgets.deblur.check_panel import CheckPanel
from napari_deepblur.widgets.deblur.view import BlurTable, CheckTable, OverField, ShownPsf

PSF = ShownPsf(np.eye(5))


def test_blur_panel_round_trip(qtbot) -> None:
    panel = BlurPanel()
    qtbot.addWidget(panel)
    numbers = np.array([0.1, -0.05], np.float32)
    std = np.array([0.01, 0.005], np.float32)
    table = BlurTable("cells", ("defocus", "coma"), numbers, std, PSF)
    panel.setValue(table)
    assert panel.value() is table
    assert "defocus: +0.1 ± 0.02 waves RMS" in panel.bars.toolTip()
    assert "coma: -0.05 ± 0.01 waves RMS" in panel.bars.toolTip()
    assert "95 %" in panel.bars.toolTip()
    panel.setValue(None)
    assert panel.value() is None


def test_words_of_the_panel_are_explained_where_they_stand(panel: BlurPanel) -> None:
    panel.setValue(table_of())
    assert "Waves RMS: how far" in panel.bars.toolTip()
    assert "both signs give the same PSF" in panel.limits.toolTip()
    panel.setValue(table_of(twin_resolved=True))
    assert "on which side of the sample's focus" in panel.limits.toolTip()


def test_the_axis_of_the_bars_has_more_than_the_zero(panel: BlurPanel) -> None:
    numbers = np.array([0.13], np.float32)
    panel.setValue(BlurTable("cells", ("defocus",), numbers, numbers / 10, PSF))
    axis = panel.bars._plot.getAxis("bottom")
    assert [text for _, text in axis._tickLevels[0]] == ["-0.1", "0", "0.1"]


def test_a_long_name_loses_its_middle_and_the_tooltip_has_all_of_it(panel: BlurPanel) -> None:
    name = "a_long_file_name_of_a_nucleus_" * 4
    panel.setValue(replace(table_of(), title=name))
    assert panel._title.elideMode() is Qt.TextElideMode.ElideMiddle
    assert name in panel._title.toolTip()
    assert panel.minimumSizeHint().width() <= 300


def table_of(**changes) -> BlurTable:
    numbers = np.zeros(1, np.float32)
    return BlurTable("cells", ("defocus",), numbers, numbers, PSF, **with_concerns(changes))


def with_concerns(changes: dict) -> dict:
    """Concerns of texts, as a file holds them; None stays."""
    texts = changes.get("concerns") or ()
    return changes | ({"concerns": tuple(map(Concern.read, texts))} if texts else {})


@pytest.fixture
def panel(qtbot) -> BlurPanel:
    panel = BlurPanel()
    qtbot.addWidget(panel)
    return panel


def test_a_blur_says_from_how_many_beads_it_was_read(panel: BlurPanel, qtbot) -> None:
    panel.setValue(table_of())
    assert panel.beads.isHidden()
    panel.setValue(table_of(n_beads=14))
    assert not panel.beads.isHidden()
    assert panel.beads.label.text() == "Read from 14 isolated beads."
    with qtbot.waitSignal(panel.beads.calibrateClicked):
        panel.beads.button.click()
    panel.setValue(table_of(n_beads=1))
    assert panel.beads.label.text() == "Read from one isolated bead."
    panel.setValue(None)
    assert panel.beads.isHidden()


def test_a_flagged_plane_says_why_and_what_to_do(panel: BlurPanel) -> None:
    panel.setValue(table_of(concerns=("saturated: 3 % of the pixels", "undersampled: coarse")))
    text = panel.notice.details.text()
    assert panel.notice.headline.text() == "⚠ In doubt: take the image with less light."
    assert panel.notice.headline.styleSheet()
    assert panel.notice.details.isHidden()
    panel.notice.why.click()
    assert not panel.notice.details.isHidden()
    assert "• Saturated: 3 % of the pixels.\n→ Take the image with less light." in text
    assert "Undersampled: coarse." in text
    assert "flagged" not in text


def test_that_an_estimate_is_a_guess_goes_before_other_doubts(panel: BlurPanel) -> None:
    panel.setValue(table_of(concerns=("saturated: 3 %", "little better than a guess: x")))
    assert "take the ideal PSF" in panel.notice.headline.text()


def test_a_doubt_of_another_version_has_no_advice(panel: BlurPanel) -> None:
    panel.setValue(table_of(concerns=("something new: so",)))
    assert panel.notice.headline.text() == "⚠ In doubt."
    assert panel.notice.details.text() == "• Something new: so."


def test_a_clean_plane_is_quiet(panel: BlurPanel) -> None:
    panel.setValue(table_of(concerns=("saturated: 3 %",)))
    panel.setValue(table_of(concerns=()))
    assert panel.notice.headline.text().startswith("✓")
    assert not panel.notice.headline.styleSheet()
    assert panel.notice.why.isHidden()
    assert panel.notice.details.isHidden()


def test_a_plane_that_was_not_looked_at_gets_no_verdict(panel: BlurPanel) -> None:
    panel.setValue(table_of(concerns=()))
    assert not panel.notice.isHidden()
    panel.setValue(table_of(concerns=None))
    assert panel.notice.isHidden()
    panel.setValue(None)
    assert panel.notice.isHidden()


@pytest.mark.parametrize("concerns", [(), ("saturated: 3 %",)])
def test_every_plane_of_a_stack_shows_how_many_are_flagged(panel: BlurPanel, concerns) -> None:
    panel.setValue(table_of(concerns=concerns, flagged=(2, 5, 7), n_planes=25))
    assert panel.notice.details.text().endswith("3 of 25 planes are flagged: 2, 5, 7.")
    panel.setValue(table_of(concerns=concerns, flagged=tuple(range(20)), n_planes=25))
    assert panel.notice.details.text().endswith("6, 7 …")
    panel.setValue(table_of(concerns=concerns, flagged=(2,), n_planes=25))
    assert panel.notice.details.text().endswith("1 of 25 planes is flagged: 2.")
    panel.setValue(table_of(concerns=concerns, flagged=(0, 1), n_planes=2))
    assert panel.notice.details.text().endswith("All 2 planes are flagged.")
    panel.setValue(table_of(concerns=(), flagged=(), n_planes=25))
    assert not panel.notice.details.text()


def test_a_blur_of_other_settings_is_greyed_and_names_them(panel: BlurPanel) -> None:
    panel.setValue(table_of(outdated="numerical aperture 1.4"))
    assert "numerical aperture 1.4" in panel.outdated.text()
    assert not panel.outdated.isHidden()
    assert not panel.bars.isEnabled()
    panel.setValue(table_of())
    assert panel.outdated.isHidden()
    assert panel.bars.isEnabled()


def test_long_reasons_are_wrapped_and_not_clipped(panel: BlurPanel) -> None:
    panel.resize(260, 900)
    panel.setValue(table_of(concerns=("detail beyond the OTF: " + 30 * "more than noise ",)))
    panel.notice.why.click()
    panel.show()
    panel.resize(280, 900)
    label = panel.notice.details
    assert label.width() <= 280
    assert label.height() >= label.heightForWidth(label.width())
    assert label.heightForWidth(label.width()) > 5 * label.fontMetrics().height()


def test_the_note_on_the_sign_knows_of_a_focus_series(panel: BlurPanel) -> None:
    panel.setValue(table_of())
    assert "unknown" in panel.limits.text()
    assert "can't be told" in panel.limits.toolTip()
    panel.setValue(table_of(twin_resolved=True))
    assert "resolved by the focus series" in panel.limits.text()


def varying_table(widest_um: float = 0.9, zoom: int = 1) -> BlurTable:
    """Coefficients as small as those of a family whose eigen-PSFs are large."""
    return BlurTable(
        "cells",
        ("eigen-PSF 1 constant", "eigen-PSF 1 map 1"),
        np.array([0.0761, -0.0005], np.float32),
        np.array([0.0016, 0.0012], np.float32),
        ShownPsf(np.eye(5), 0.5),
        unit="dimensionless",
        over_field=OverField(PsfWidth(0.3, (10, 20)), PsfWidth(widest_um, (490, 36)), zoom),
        concerns=(),
    )


def texts_of(panel: BlurPanel) -> list[str]:
    """All that can be read in it, tooltips too."""
    shown = [widget for widget in panel.findChildren(QWidget) if not widget.isHidden()]
    texts = [widget.text() for widget in shown if isinstance(widget, QLabel)]
    return [*texts, *(widget.toolTip() for widget in shown)]


def test_a_varying_blur_is_told_without_the_words_of_pupils(panel: BlurPanel) -> None:
    panel.setValue(table_of())
    panel.setValue(varying_table())
    for text in texts_of(panel):
        for word in ("wave", "zernike", "even modes", "twin", "sign "):
            assert word not in text.lower()
    assert "eigen-PSF 1 constant: +0.0761 ± 0.0032" in panel.bars.toolTip()
    panel.setValue(table_of())
    assert any("waves" in text for text in texts_of(panel))
    assert panel.over_field.isHidden()
    assert panel.caption.isHidden()
    assert not panel.limits.isHidden()


def test_a_sentence_says_how_much_the_psf_varies(panel: BlurPanel) -> None:
    panel.setValue(varying_table())
    text = panel.over_field.text()
    assert "0.30 µm" in text
    assert "y 10, x 20 px" in text
    assert "0.90 µm" in text
    assert "3.0 times as wide" in text
    assert "draws" not in text
    panel.setValue(varying_table(0.31, zoom=4))
    assert "hardly any difference" in panel.over_field.text()
    assert "4 times" in panel.over_field.text()


def test_the_psf_has_a_caption_that_says_where_it_is(panel: BlurPanel) -> None:
    panel.setValue(varying_table())
    assert panel.caption.text() == "PSF at the field's centre: 0.50 µm wide"
    panel.show_psf(ShownPsf(np.eye(5), 0.42, (512, 300)))
    assert panel.caption.text() == "PSF at y 512, x 300 px: 0.42 µm wide"
    panel.setValue(None)
    assert panel.caption.isHidden()


def check_of(**changes) -> CheckTable:
    return CheckTable(
        "cells", (1.04, 1.2, 3.4), (0.93, 1.0, 2.1), (0.123, 0.1, 0.2), **with_concerns(changes)
    )


@pytest.fixture
def check_panel(qtbot) -> CheckPanel:
    panel = CheckPanel()
    qtbot.addWidget(panel)
    return panel


def shown(panel: CheckPanel) -> list[str]:
    return [label.text() for label in panel.findChildren(QLabel) if not label.isHidden()]


def test_check_panel_round_trip(check_panel: CheckPanel) -> None:
    table = check_of()
    check_panel.setValue(table)
    assert check_panel.value() is table
    assert [label.text() for label in check_panel.numbers.values()] == ["1.0", "0.9", "12%"]
    check_panel.setValue(None)
    assert check_panel.value() is None
    assert check_panel.notice.isHidden()


def test_a_stack_shows_median_and_highest(check_panel: CheckPanel) -> None:
    check_panel.setValue(check_of())
    assert not {"median", "highest", "3.4"} & set(shown(check_panel))
    check_panel.setValue(check_of(n_planes=5, flagged=(2,)))
    assert {"median", "highest", "1.2", "3.4", "2.1", "20%"} <= set(shown(check_panel))
    assert check_panel.notice.details.text() == "1 of 5 planes is flagged: 2."


def test_each_number_says_what_it_means(check_panel: CheckPanel) -> None:
    tips = {label.toolTip() for label in check_panel.numbers.values()}
    assert len(tips) == 3
    assert all("normal" in tip for tip in tips)


def test_doubts_about_the_deblurred_image(check_panel: CheckPanel) -> None:
    check_panel.setValue(check_of(concerns=("not explained: by far",)))
    assert check_panel.notice.headline.text().startswith("⚠ In doubt: ask for the residual")
    assert check_panel.notice.details.text().startswith("• Not explained: by far.\n→ Ask for")
    check_panel.setValue(check_of())
    assert check_panel.notice.headline.text().startswith("✓ Nothing found")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, "one plane does not tell it"),
        ({"of_stack": True}, "planes read one by one do not tell it"),
        ({"z_step_um": 0.3}, "this stack does not tell it"),
    ],
)
def test_what_does_not_tell_the_sign_is_what_was_read(panel: BlurPanel, changes, says) -> None:
    panel.setValue(table_of(**changes))
    assert says in panel.limits.text()


def test_the_curve_shows_what_is_chosen(panel: BlurPanel) -> None:
    strehl, width = np.linspace(0.5, 1, 3, dtype=np.float32), np.full(3, 0.2, np.float32)
    table = table_of(n_planes=3, plane=1, curves={"Strehl ratio": strehl, "width (µm)": width})
    panel.setValue(table)
    assert not panel.curve_box.isHidden()
    assert panel.curve.value().name == "Strehl ratio"
    panel.curve_box.setValue("width (µm)")
    panel.curve_box.valueChanged.emit("width (µm)")
    np.testing.assert_array_equal(panel.curve.value().values, width)
    # What was chosen stays when the slider moves.
    panel.setValue(replace(table, plane=2))
    assert (panel.curve.value().name, panel.curve.plane()) == ("width (µm)", 2)
    panel.setValue(table_of())
    assert panel.curve_box.isHidden()
