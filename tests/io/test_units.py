"""Lengths as files spell them."""

import pytest

from napari_deepblur.io.units import length_um, positive


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (65, "nm", 0.065),
        ("0.1", "µm", 0.1),
        (0.1, "μm", 0.1),  # Greek letter
        (0.1, "\\u00B5m", 0.1),
        (0.1, " Micron ", 0.1),
        (1, "mm", 1000),
        (1, "inch", 25400),
    ],
)
def test_known_units(value, unit, expected):
    assert length_um(value, unit) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("value", "unit"), [(1, "pixel"), (1, None), (1, ""), (0, "um"), (-1, "um"), ("?", "um")]
)
def test_what_is_no_length_is_unknown(value, unit):
    assert length_um(value, unit) is None


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), 0, -3, "x", (1, 2)])
def test_what_is_not_positive_is_unknown(value):
    assert positive(value) is None
