"""A drop-down list of named values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QPaintEvent
from qtpy.QtWidgets import QComboBox, QStyle, QStyleOptionComboBox, QStylePainter, QWidget

__all__ = ["ChoiceBox"]

#: Room that styles leave beside the text of a drop-down list, pixels.
_MARGIN = 2


class ChoiceBox(QComboBox):
    """Chooses one of several values, each with a text.

    Parameters
    ----------
    parent
        Parent widget.
    """

    valueChanged = Signal(object)  # noqa: N815

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._values: list[Any] = []
        # Long names must not widen the dock.
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)
        self.activated.connect(self._on_activated)

    def setChoices(self, choices: Iterable[tuple[str, Any]]) -> None:  # noqa: N802
        """Offer other values; nothing is emitted."""
        texts, self._values = [], []
        for text, value in choices:
            texts.append(text)
            self._values.append(value)
        self.clear()
        self.addItems(texts)

    def choices(self) -> list[Any]:
        """Return the values on offer."""
        return list(self._values)

    def value(self) -> Any:
        """Return the chosen value; None if there is none."""
        index = self.currentIndex()
        return self._values[index] if index >= 0 else None

    def setValue(self, value: Any) -> None:  # noqa: N802
        """Choose a value; one that is not on offer clears the choice. Nothing is emitted."""
        self.setCurrentIndex(self._values.index(value) if value in self._values else -1)

    def _on_activated(self, index: int) -> None:
        self.valueChanged.emit(self._values[index])

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the choice; of a text that is too long the middle is left out."""
        painter, option = QStylePainter(self), QStyleOptionComboBox()
        self.initStyleOption(option)
        kind = QStyle.ComplexControl.CC_ComboBox
        if self.currentIndex() < 0:
            option.currentText = self.placeholderText()  # our own words, which fit
        else:
            part = QStyle.SubControl.SC_ComboBoxEditField
            room = self.style().subControlRect(kind, option, part, self).width() - _MARGIN
            option.currentText = self.fontMetrics().elidedText(
                option.currentText, Qt.TextElideMode.ElideMiddle, room
            )
        painter.drawComplexControl(kind, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)
        painter.end()
