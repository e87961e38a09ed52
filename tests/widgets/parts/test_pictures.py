"""Pictures and curves of the docks: what is drawn, and what a click does."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtWidgets import QLabel

from napari_deepblur.widgets.parts.coefficient_bars import CoefficientBars, Coefficients
from napari_deepblur.widgets.parts.curve import Curve, CurveOverPlanes
from napari_deepblur.widgets.parts.psf_picture import PsfPicture, Scaled, scale_bar_um
from napari_deepblur.widgets.parts.section import Section


def spot(*shape: int) -> np.ndarray:
    psf = np.zeros(shape, np.float32)
    psf[tuple(n // 2 for n in shape)] = 1
    return psf


@pytest.mark.parametrize(
    ("width_um", "bar_um"), [(3.0, 1.0), (1.0, 0.5), (0.9, 0.2), (45.0, 20.0), (4.0, 2.0)]
)
def test_a_scale_bar_is_round_and_at_most_half_the_picture(width_um, bar_um) -> None:
    assert scale_bar_um(width_um) == pytest.approx(bar_um)


def test_a_psf_is_drawn_at_the_brightest_place_of_its_picture(qtbot) -> None:
    picture = PsfPicture("PSF")
    qtbot.addWidget(picture)
    picture.setValue(Scaled(spot(31, 31), 0.09))
    picture.resize(picture.sizeHint())
    drawn = picture.grab().toImage()
    ratio = picture.devicePixelRatioF()
    centre, corner = (
        drawn.pixelColor(*(int(ratio * n) for n in place)).lightness()
        for place in ((60, 60), (110, 30))
    )
    assert centre > corner + 100


def test_a_psf_in_3d_has_a_second_plane_as_tall_as_it_is_deep(qtbot) -> None:
    picture = PsfPicture(side=120)
    qtbot.addWidget(picture)
    picture.setValue(Scaled(spot(9, 30, 30), 0.1, 0.3))
    assert picture.sizeHint().height() == pytest.approx(120 + 108, abs=8)


def test_of_a_deep_psf_the_middle_is_drawn(qtbot) -> None:
    picture = PsfPicture(side=120)
    qtbot.addWidget(picture)
    picture.setValue(Scaled(spot(61, 31, 31), 0.1, 0.3))
    picture.resize(picture.sizeHint())
    assert picture.height() < 290
    ratio = picture.devicePixelRatioF()
    below = round((120 + picture.height()) / 2)
    assert (
        picture.grab().toImage().pixelColor(round(60 * ratio), round(below * ratio)).lightness()
        > 150
    )


def test_a_dark_psf_is_drawn_black(qtbot) -> None:
    picture = PsfPicture()
    qtbot.addWidget(picture)
    picture.setValue(Scaled(np.zeros((9, 9), np.float32), 0.1))
    assert picture.grab().toImage().pixelColor(60, 60).lightness() < 20


def test_bars_say_each_coefficient_in_waves_and_nanometres(qtbot) -> None:
    bars = CoefficientBars()
    qtbot.addWidget(bars)
    value = Coefficients(("defocus", "coma"), np.array([0.1, -0.02]), np.array([0.01, 0.02]))
    bars.setValue(value)
    assert "nm" not in value.sentence(0)
    in_waves = Coefficients(value.names, value.values, value.std, wavelength_um=0.5)
    bars.setValue(in_waves)
    assert "defocus: +0.1 ± 0.02 waves RMS = +50 ± 10 nm" in bars.toolTip()
    assert "coma: -0.02 ± 0.04 waves RMS = -10 ± 20 nm" in bars.toolTip()


def test_a_click_on_a_curve_chooses_the_nearest_plane_once(qtbot) -> None:
    curve = CurveOverPlanes()
    qtbot.addWidget(curve)
    curve.setValue(Curve(np.arange(5.0), np.zeros(5, bool), "Strehl ratio"))
    chosen = []
    curve.planeChosen.connect(chosen.append)
    for place in (2.4, 1.8, 99, -3):
        curve.choose_near(place)
    assert chosen == [2, 4, 0]
    curve.setPlane(3)
    assert (curve.plane(), chosen) == (3, [2, 4, 0])


def test_a_folded_section_still_says_what_is_in_it(qtbot) -> None:
    content = QLabel("content")
    section = Section("Image", content)
    qtbot.addWidget(section)
    section.show()
    section.setSummary("cells <b>1</b>")
    section.button.click()
    assert not section.isOpen()
    assert not content.isVisible()
    assert section.summary.isVisible()
    assert "<b>" not in section.summary.toolTip()
    section.setOpen(is_open=True)
    assert content.isVisible()
