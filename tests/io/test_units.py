"""Lengths as files spell them."""

import pytest

from napari_deepblur.io.units import bytes_text, length_um, positive, time_s


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
        (65, "NM", 0.065),
        (0.1, "MICRONS", 0.1),
        (0.1, "Âµm", 0.1),  # UTF-8 read as Latin-1
        (0.1, "µ", 0.1),
        (0.1, "um/pixel", 0.1),
        (0.1, "microns per pixel", 0.1),
        ("0,1", "µm", 0.1),
        (1000, "Å", 0.1),
        (1e-7, "metre", 0.1),
    ],
)
def test_known_units(value, unit, expected):
    assert length_um(value, unit) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        (1, "pixel"),
        (1, "px"),
        (1, "s"),
        (1, "A"),
        (1, "m**2"),
        (1, "reference frame"),
        (1, None),
        (1, ""),
        (0, "um"),
        (-1, "um"),
        ("?", "um"),
    ],
)
def test_what_is_no_length_is_unknown(value, unit):
    assert length_um(value, unit) is None


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), 0, -3, "x", (1, 2)])
def test_what_is_not_positive_is_unknown(value):
    assert positive(value) is None


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (2, "s", 2),
        (2, "sec", 2),
        (500, "ms", 0.5),
        (2, "min", 120),
        (2, "minutes", 120),
        (1, "um", None),
    ],
)
def test_times(value, unit, expected):
    assert time_s(value, unit) == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("n_bytes", "text"), [(500, "0.5 kB"), (3e6, "3 MB"), (4.2e9, "4.2 GB"), (2e12, "2 TB")]
)
def test_sizes_of_files(n_bytes, text):
    assert bytes_text(n_bytes) == text
