"""Fields for a number or a length that may be left empty."""

from __future__ import annotations

import math
import re

from qtpy.QtCore import QPoint, Signal
from qtpy.QtWidgets import QLineEdit, QToolTip, QWidget

from napari_deepblur.io.units import length_um
from napari_deepblur.widgets.parts.text import literal

__all__ = ["LengthEdit", "NumberEdit"]

_NUMBER = re.compile(r"([+-]?(?:\d+[.,]?\d*|[.,]\d+)(?:[eE][+-]?\d+)?)\s*(\D.*)?", re.DOTALL)


class NumberEdit(QLineEdit):
    """Edits a number or nothing; a comma counts as a decimal point.

    Text that is no number is not taken: the former number comes back, with a note.

    Parameters
    ----------
    parent
        Parent widget.
    """

    # Not a spin box: those cannot be empty, and an empty field means "please fill in".
    valueChanged = Signal(object)  # noqa: N815 - Qt's way to write signals

    _EXAMPLE = "1.4"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setPlaceholderText("?")
        self.setMinimumWidth(self.fontMetrics().horizontalAdvance("0.00000") + 16)
        self._value: float | None = None
        self.editingFinished.connect(self._on_edited)

    def value(self) -> float | None:
        """Return the number that is shown or typed; None if the field holds none."""
        try:
            return self._parsed()
        except ValueError:
            return None

    def setValue(self, value: float | None) -> None:  # noqa: N802
        """Show a number or nothing."""
        if self.hasFocus() and self.isModified() and value == self._value:
            # Half-typed text is the user's.
            return
        self._value = value
        self.setText("" if value is None else f"{value:.7g}")

    def _on_edited(self) -> None:
        try:
            value = self._parsed()
        except ValueError:
            self._refuse(self.text())
            return
        # Who types the very number that is there already makes it his own.
        is_edited = value != self._value or self.isModified()
        self.setModified(False)
        self.setValue(value)
        if is_edited:
            self.valueChanged.emit(value)

    def _refuse(self, text: str) -> None:
        self.setModified(False)
        self.setValue(self._value)
        kept = "left empty" if self._value is None else f"kept {self.text()}"
        note = f"“{text.strip()}” is not understood, {kept}. Type for example {self._EXAMPLE}"
        QToolTip.showText(self.mapToGlobal(QPoint(0, self.height())), literal(note), self)

    def _parsed(self) -> float | None:
        """Read the text: None where it is blank, ValueError where it is no number."""
        text = self.text().strip()
        if not text:
            return None
        match = _NUMBER.fullmatch(text)
        if match is None:
            raise ValueError(text)
        number, unit = float(match[1].replace(",", ".")), (match[2] or "").strip()
        if not math.isfinite(number):
            raise ValueError(text)
        return self._with_unit(number, unit)

    def _with_unit(self, number: float, unit: str) -> float:
        if unit:
            raise ValueError(unit)
        return number


class LengthEdit(NumberEdit):
    """Edits a length in µm; other units, such as “461 nm”, are understood."""

    _EXAMPLE = "0.52 or 520 nm"

    def _with_unit(self, number: float, unit: str) -> float:
        factor = length_um(1, unit or "µm")
        if factor is None:
            raise ValueError(unit)
        # 461 nm are 0.461 µm and not 0.46100000000000002.
        return float(f"{number * factor:.12g}")
