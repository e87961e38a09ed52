"""Notice of the reasons to doubt a plane's result, or of none in one quiet line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from qtpy.QtWidgets import QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from napari_deepblur.widgets.parts.text import plain_label
from napari_deepblur.widgets.parts.tone import Tone

__all__ = ["Judged", "NoticeWords", "TrustNotice"]

# Translucent, so that the theme's own text colour is readable on it, be it dark or light.
_FLAGGED = (
    "QLabel { background: rgba(230, 150, 0, 60); border-left: 4px solid rgb(230, 150, 0); "
    "padding: 5px; }"
)
_MOST_NUMBERS = 8


class Judged(Protocol):
    """Result of one plane with the reasons to doubt it."""

    @property
    def concerns(self) -> tuple[str, ...] | None:
        """Reasons against it; None if nobody looked."""

    @property
    def flagged(self) -> tuple[int, ...]:
        """Planes with concerns."""

    @property
    def n_planes(self) -> int:
        """Number of planes."""

    @property
    def planes(self) -> str:
        """What these are, in a word: ``plane`` or ``time point``."""


@dataclass(frozen=True, slots=True)
class NoticeWords:
    """Words of a notice.

    Attributes
    ----------
    doubt
        Sentence that comes before the concerns, without its full stop.
    doubt_tip
        Advice for the case of concerns.
    clean
        Sentence for the case of no concerns.
    clean_tip
        List of the things that were looked for.
    """

    doubt: str
    doubt_tip: str
    clean: str
    clean_tip: str


class TrustNotice(QWidget):
    """Says in one line whether a plane's result is in doubt; "why?" unfolds the reasons.

    Parameters
    ----------
    words
        Words of the notice.
    parent
        Parent widget.
    """

    def __init__(self, words: NoticeWords, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._words = words
        self.headline = plain_label(wrap=True)
        self.why = QToolButton()
        self.why.setText("why?")
        self.why.setToolTip("Show or hide the reasons")
        self.why.setCheckable(True)
        self.reasons = plain_label(wrap=True, selectable=True)
        self.planes = plain_label(wrap=True)
        line = QHBoxLayout()
        line.addWidget(self.headline, 1)
        line.addWidget(self.why)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(line)
        layout.addWidget(self.reasons)
        layout.addWidget(self.planes)
        self.why.toggled.connect(lambda _on: self._fold())

    def setWords(self, words: NoticeWords) -> None:  # noqa: N802
        """Take other words, for the next value."""
        self._words = words

    def setValue(self, table: Judged | None) -> None:  # noqa: N802
        """Show what is known against a result; nothing where that was not looked at."""
        concerns = None if table is None else table.concerns
        self.setVisible(concerns is not None)
        if table is None or concerns is None:
            return
        tone = Tone.WARNING if concerns else Tone.GOOD
        self.headline.setText(tone.marked(self._words.doubt if concerns else self._words.clean))
        self.headline.setStyleSheet(_FLAGGED if concerns else "")
        self.headline.setToolTip(self._words.doubt_tip if concerns else self._words.clean_tip)
        self.reasons.setText("\n".join(f"• {_sentence(reason)}" for reason in concerns))
        self.planes.setText(_flagged(table))
        self._fold()

    def _fold(self) -> None:
        is_open = self.why.isChecked()
        self.why.setVisible(bool(self.reasons.text() or self.planes.text()))
        for label in (self.reasons, self.planes):
            label.setVisible(is_open and bool(label.text()))


def _sentence(reason: str) -> str:
    return f"{reason[0].upper()}{reason[1:]}."


def _flagged(table: Judged) -> str:
    if table.n_planes < 2 or not table.flagged:
        return ""
    numbers = ", ".join(map(str, table.flagged[:_MOST_NUMBERS]))
    end = " …" if len(table.flagged) > _MOST_NUMBERS else "."
    verb = "is" if len(table.flagged) == 1 else "are"
    return (
        f"{len(table.flagged)} of {table.n_planes} {table.planes}s {verb} flagged: {numbers}{end}"
    )
