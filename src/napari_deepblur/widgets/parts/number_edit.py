"""A field for a number that may be left empty."""

from __future__ import annotations

from qtpy.QtCore import QRegularExpression, Signal
from qtpy.QtGui import QRegularExpressionValidator
from qtpy.QtWidgets import QLineEdit, QWidget

__all__ = ["NumberEdit"]


class NumberEdit(QLineEdit):
    """A number or nothing; a comma counts as a decimal point.

    Parameters
    ----------
    parent
        Parent widget.
    """

    # Not a spin box: those cannot be empty, and an empty one asks.
    valueChanged = Signal(object)  # noqa: N815 - Qt's way to write signals

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        pattern = QRegularExpression(r"-?\d*[.,]?\d*([eE]-?\d+)?")
        self.setValidator(QRegularExpressionValidator(pattern, self))
        self.setPlaceholderText("?")
        self.setMinimumWidth(self.fontMetrics().horizontalAdvance("0.00000") + 16)
        self._shown = self.value()
        self.editingFinished.connect(self._on_edited)

    def value(self) -> float | None:
        """The number; None if there is none."""
        try:
            return float(self.text().replace(",", "."))
        except ValueError:
            return None

    def setValue(self, value: float | None) -> None:  # noqa: N802
        """Show a number or nothing."""
        if self.hasFocus() and self.isModified() and value == self._shown:
            # Half-typed text is the user's.
            return
        self._shown = value
        self.setText("" if value is None else f"{value:.7g}")

    def _on_edited(self) -> None:
        value = self.value()
        if value != self._shown:
            self._shown = value
            self.valueChanged.emit(value)
