"""A drop-down list of named values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QWidget

__all__ = ["ChoiceBox"]


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
