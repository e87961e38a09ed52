"""Panel with the check of one deblurred plane: three numbers and the doubts."""

from __future__ import annotations

import math
from dataclasses import dataclass

from qtpy.QtWidgets import QGridLayout, QVBoxLayout, QWidget

from napari_deepblur.widgets.deblur.trust_notice import NoticeWords, TrustNotice
from napari_deepblur.widgets.deblur.view import CheckTable
from napari_deepblur.widgets.parts.text import elided_label, literal, plain_label
from napari_deepblur.widgets.parts.tone import Tone

__all__ = ["CheckPanel"]

_WORDS = NoticeWords(
    doubt="In doubt",
    doubt_tip="These speak against the deblurred version of this plane: compare it with the "
    "observed one before you use it",
    clean="Nothing found against the deblurred image.",
    clean_tip="Looked for what the deblurred image does not explain of the observed one, and for "
    "ringing at the border. Too weak a blur is not found: it explains an image as well",
)


@dataclass(frozen=True, slots=True)
class _Row:
    """A number of `CheckTable`: its attribute, name, format and meaning."""

    field: str
    name: str
    written: str
    meaning: str


_ROWS = (
    _Row(
        "residual",
        "Residual / noise",
        "{:.1f}",
        meaning="What the deblurred image, blurred again, misses of the observed one. About 1 is "
        "normal, a few where there is hardly any noise. Much more: the blur does not fit",
    ),
    _Row(
        "border_ringing",
        "Border ringing",
        "{:.1f}",
        meaning="How much fine detail grew near the border, by how much it grew inside. About 1 "
        "is normal; above 2 do not interpret structures near the border",
    ),
    _Row(
        "flux_moved",
        "Flux moved",
        "{:.0%}",
        meaning="Share of the light that the deblurring brought back to where it came from. A few "
        "per cent are normal for large smooth structures, half or more for points and thin lines",
    ),
)


class CheckPanel(QWidget):
    """Shows the check of a deblurred plane, or nothing.

    Parameters
    ----------
    parent
        Parent widget.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._value: CheckTable | None = None
        self._title = elided_label()
        self.outdated = plain_label(wrap=True)
        self.notice = TrustNotice(_WORDS)
        self.numbers = {row.field: plain_label() for row in _ROWS}
        self.medians = {row.field: plain_label() for row in _ROWS}
        self.highest = {row.field: plain_label() for row in _ROWS}
        heads = [plain_label(text) for text in ("plane", "median", "highest")]
        self._for_stacks = [*heads, *self.medians.values(), *self.highest.values()]
        grid = QGridLayout()
        for column, head in enumerate(heads):
            grid.addWidget(head, 0, column + 1)
        for place, row in enumerate(_ROWS):
            columns = (self.numbers, self.medians, self.highest)
            labels = [plain_label(row.name, wrap=True), *(column[row.field] for column in columns)]
            for column, label in enumerate(labels):
                label.setToolTip(row.meaning)
                grid.addWidget(label, place + 1, column)
        for column, stretch in enumerate((2, 1, 1, 1)):
            grid.setColumnStretch(column, stretch)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._title)
        layout.addWidget(self.outdated)
        layout.addWidget(self.notice)
        layout.addLayout(grid)

    def value(self) -> CheckTable | None:
        """Return the check that is shown."""
        return self._value

    def setValue(self, value: CheckTable | None) -> None:  # noqa: N802
        """Show a check; None clears."""
        self._value = value
        self.notice.setValue(value)
        title = "" if value is None else value.title
        self._title.setText(title)
        self._title.setToolTip(literal(title))
        outdated = "" if value is None else value.outdated
        self.outdated.setVisible(bool(outdated))
        self.outdated.setText(f"{Tone.WARNING.value} Deblurred with other settings: {outdated}")
        for label in self._for_stacks:
            label.setVisible(value is not None and value.n_planes > 1)
        for row in _ROWS:
            columns = (self.numbers, self.medians, self.highest)
            numbers = (None,) * 3 if value is None else getattr(value, row.field)
            for column, number in zip(columns, numbers, strict=True):
                column[row.field].setText(_written(row, number))


def _written(row: _Row, number: float | None) -> str:
    """Format a number; a blank plane has none."""
    if number is None:
        return ""
    return "–" if math.isnan(number) else row.written.format(number)
