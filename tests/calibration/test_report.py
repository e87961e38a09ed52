import re
from base64 import b64decode
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pytest
from skimage.io import imread

from helpers.bead_images import calibrated
from napari_deepblur.calibration.report import report_html
from napari_deepblur.calibration.report.charts import curve_chart, field_chart
from napari_deepblur.calibration.report.pictures import (
    around_zero,
    colours,
    grey,
    hex_colour,
    mosaic,
    picture,
)

VOID = {"meta", "img", "br", "circle", "rect", "line", "polyline"}


class Balanced(HTMLParser):
    """Fails on a tag that is closed out of turn, or not at all."""

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], set()

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert tag in VOID

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def report():
    return report_html(calibrated())


def test_it_is_whole_and_needs_nothing_else(report):
    page = Balanced()
    page.feed(report)
    assert page.open == []
    assert not page.seen & {"script", "link", "iframe"}
    assert not re.findall(r"""(?:src|href)="(?!data:)""", report)
    assert "http" not in report


def test_it_says_what_a_biologist_asks(report):
    for text in (
        "slide.tif", "320 × 320 pixels", "over the field", "noise apart", "P = 1, γ = 1",
        "FWHM", "Eigen-PSFs", "ellipticity",
    ):  # fmt: skip
        assert text in report
    assert "nan" not in re.sub(r"base64,[^\"]*", "", report).lower()


def test_figures_are_those_of_the_result(report):
    result = calibrated()
    assert f"{result.error_db:.1f}".replace("-", "−") in report
    for reason, count in result.n_rejected.items():
        assert f"<td>{reason}</td><td class=n>{count}</td>" in report


def test_names_cannot_break_it():
    named = replace(calibrated(), names=("<script>alert(1)</script>",), notes=("a < b",))
    report = report_html(named)
    assert "<script>" not in report
    assert "a &lt; b" in report


def test_several_acquisitions():
    result = calibrated()
    drifting = replace(
        result,
        coefficients=np.ones((3, 1), np.float32),
        names=("a", "b", "c"),
        planes=("plane 1", "", ""),
        beads=result.beads.assign(acquisition=np.arange(len(result.beads)) % 3),
    )
    report = report_html(drifting)
    assert "do not differ by more than their noise" in report
    assert "a: plane 1" in report
    assert "Acquisitions: what changes" in report


def test_too_few_beads_for_an_error():
    report = report_html(replace(calibrated(), cross_validation_db=np.zeros(0)))
    assert "cannot be told" in report
    assert "How far to trust it" not in report


@pytest.mark.parametrize("shape", [(7, 5), (4, 9, 3)])
def test_pictures_are_png(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    text = picture(pixels, "alt", width=10)
    data = b64decode(re.search(r"base64,([^\"]*)", text)[1])
    np.testing.assert_array_equal(imread(BytesIO(data)), pixels)


def test_colours_say_what_they_should():
    assert grey(np.array([[0.0, 0.25, 1, -1]])).tolist() == [[0, 127, 255, 0]]
    minus, zero, plus = around_zero(np.array([-1.0, 0, 1])).astype(int)
    assert minus[2] > minus[0]
    assert zero.tolist() == [255, 255, 255]
    assert plus[0] > plus[2]
    assert colours(np.array([2.0, 5.0]), 2, 5).tolist() == [[68, 1, 84], [253, 231, 37]]
    assert hex_colour(9, 2, 5) == "#fde725"


def test_a_mosaic_keeps_the_places():
    tiles = np.arange(1.0, 7)[:, None, None] * np.ones((6, 2, 3))
    whole = mosaic(tiles, 3)
    assert whole.shape == (5, 11)
    assert whole[0, [0, 4, 8]].tolist() == [1, 2, 3]
    assert whole[4, [0, 4, 8]].tolist() == [4, 5, 6]
    assert (whole[2] == 0).all()


def test_dots_lie_where_the_image_has_them():
    chart = field_chart(
        np.array([[0.0, 0], [49.5, 199.5]]), ["red", "blue"], (100, 200), width=100, title="t"
    )
    assert 'height="50"' in chart
    assert '<circle cx="0.2" cy="0.2"' in chart
    assert '<circle cx="100.0" cy="25.0"' in chart


def test_curves_lie_between_round_numbers():
    chart = curve_chart(
        {"a": np.array([-24.0, -3]), "b": np.array([-10.0, -10])},
        x_label="K", y_label="dB", title="t", first=1, marked=2,
    )  # fmt: skip
    assert "−25" in chart
    assert "0" in re.findall(r'class="end">([^<]*)', chart)
    assert chart.count("<polyline") == 2
    assert 'class="marked"' in chart
    flat = curve_chart({"a": np.zeros(3)}, x_label="", y_label="", title="")
    assert "nan" not in flat
