"""A list of named values of which several can be ticked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QListWidget, QListWidgetItem, QWidget

from napari_deepblur.widgets.parts.text import literal

__all__ = ["CheckList"]

#: Rows that are seen without scrolling.
_FEWEST_ROWS, _MOST_ROWS = 2, 5


class CheckList(QListWidget):
    """Chooses some of several values, each with a text.

    Parameters
    ----------
    parent
        Parent widget.
    """

    valueChanged = Signal(list)  # noqa: N815

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._values: list[Any] = []
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.itemChanged.connect(lambda _item: self.valueChanged.emit(self.value()))
        self._fit_height()

    def setChoices(self, choices: Iterable[tuple[str, Any]]) -> None:  # noqa: N802
        """Offer other values, none of them ticked; nothing is emitted."""
        offered = list(choices)
        shown = [self.item(row).text() for row in range(self.count())]
        self._values = [value for _, value in offered]
        if shown == [text for text, _ in offered]:
            # A list must not be cleared while it tells of a tick.
            self.setValue(())
            return
        with QSignalBlocker(self):
            self.clear()
            for text in (text for text, _ in offered):
                item = QListWidgetItem(text, self)
                item.setToolTip(literal(text))
                item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
                item.setCheckState(Qt.CheckState.Unchecked)
        self._fit_height()

    def choices(self) -> list[Any]:
        """Return the values on offer."""
        return list(self._values)

    def value(self) -> list[Any]:
        """Return the ticked values, in their order."""
        return [
            value
            for row, value in enumerate(self._values)
            if self.item(row).checkState() == Qt.CheckState.Checked
        ]

    def setValue(self, values: Iterable[Any]) -> None:  # noqa: N802
        """Tick values; nothing is emitted."""
        ticked = list(values)
        with QSignalBlocker(self):
            for row, value in enumerate(self._values):
                state = Qt.CheckState.Checked if value in ticked else Qt.CheckState.Unchecked
                self.item(row).setCheckState(state)

    def _fit_height(self) -> None:
        rows = min(max(self.count(), _FEWEST_ROWS), _MOST_ROWS)
        height = max(self.sizeHintForRow(0), self.fontMetrics().height() + 6)
        self.setFixedHeight(rows * height + 2 * self.frameWidth())
