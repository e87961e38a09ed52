"""What holds of every dock: each field explains itself, Tab goes down, nothing is cut off."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from napari.qt import get_stylesheet
from qtpy.QtWidgets import QAbstractButton, QApplication, QLabel, QWidget
from superqt import QElidingLabel

from helpers.docks import DOCKS, fields_of, tab_stops

WIDTH, HEIGHT = 300, 1400
#: Tops of widgets that stand in one row differ by a few pixels.
ROW = 12


@pytest.fixture(params=DOCKS)
def dock(request, qtbot) -> Iterator[QWidget]:
    dock = DOCKS[request.param]()
    qtbot.addWidget(dock)
    yield dock
    dock.controller.close()


def shown(dock: QWidget, theme: str) -> QWidget:
    """Show a dock in a theme of napari's, as narrow as it may be."""
    dock.setStyleSheet(get_stylesheet(theme))
    for section in getattr(dock, "sections", {}).values():
        section.setOpen(is_open=True)
    dock.resize(WIDTH, HEIGHT)
    dock.show()
    for _ in range(3):
        QApplication.processEvents()
    return dock


def name_of(widget: QWidget) -> str:
    text = widget.text() if isinstance(widget, QAbstractButton) else ""
    return widget.accessibleName() or text or f"a {type(widget).__name__} without name"


def test_every_field_has_a_tooltip(dock: QWidget) -> None:
    assert [name_of(field) for field in fields_of(dock) if not field.toolTip()] == []


def test_every_field_has_a_name_for_screen_readers(dock: QWidget) -> None:
    nameless = [field for field in fields_of(dock) if "without name" in name_of(field)]
    assert [(type(field).__name__, field.toolTip()[:60]) for field in nameless] == []


def test_tab_goes_from_top_to_bottom(dock: QWidget) -> None:
    stops = tab_stops(shown(dock, "dark"))
    assert len(stops) > 1
    for (one, (y, x)), (other, (below, right)) in pairwise(stops):
        in_order = below > y + ROW or (abs(below - y) <= ROW and right >= x)
        assert in_order, f"Tab goes up from {name_of(one)!r} to {name_of(other)!r}"


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_nothing_is_cut_off_at_300_pixels(dock: QWidget, theme: str) -> None:
    assert shown(dock, theme).width() == WIDTH
    cut = [name for name, needed, given in _texts(dock) if needed > given]
    assert cut == []


def _texts(dock: QWidget) -> Iterator[tuple[str, int, int]]:
    """Visible texts with the room that they need and have."""
    for widget in dock.findChildren(QWidget):
        if not widget.isVisible() or isinstance(widget, QElidingLabel):
            continue
        if isinstance(widget, QLabel) and widget.text():
            if widget.wordWrap():
                needed = widget.heightForWidth(widget.width())
                yield widget.text(), needed, widget.height()
            else:
                yield widget.text(), widget.minimumSizeHint().width(), widget.width()
        elif isinstance(widget, QAbstractButton) and widget.text():
            yield widget.text(), widget.minimumSizeHint().width(), widget.width()
