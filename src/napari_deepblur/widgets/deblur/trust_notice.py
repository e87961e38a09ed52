"""Notice of the reasons to doubt a plane's result, or of none in one quiet line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from qtpy.QtWidgets import QWidget

from napari_deepblur.engine.concerns import Concern, gravest
from napari_deepblur.widgets.parts.folded_text import FoldedText
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
    def concerns(self) -> tuple[Concern, ...] | None:
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
        Words that come before what to do, without a colon.
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


class TrustNotice(FoldedText):
    """Says in two lines whether a plane's result is in doubt, and what to do; "why?" unfolds why.

    Parameters
    ----------
    words
        Words of the notice.
    parent
        Parent widget.
    """

    def __init__(self, words: NoticeWords, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self._words = words

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
        self.headline.setStyleSheet(_FLAGGED if concerns else "")
        self.headline.setToolTip(self._words.doubt_tip if concerns else self._words.clean_tip)
        lines = [*map(_reason, concerns), _flagged(table)]
        self.setText(tone.marked(self._headline(concerns)), "\n".join(filter(None, lines)))

    def _headline(self, concerns: tuple[Concern, ...]) -> str:
        if not concerns:
            return self._words.clean
        advice = gravest(concerns).advice
        return f"{self._words.doubt}: {advice}." if advice else f"{self._words.doubt}."


def _reason(concern: Concern) -> str:
    """Say what is wrong, and beneath it what to do."""
    what = f"• {concern[0].upper()}{concern[1:]}."
    advice = concern.advice
    return f"{what}\n→ {advice[0].upper()}{advice[1:]}." if advice else what


def _flagged(table: Judged) -> str:
    if table.n_planes < 2 or not table.flagged:
        return ""
    if len(table.flagged) == table.n_planes:
        return f"All {table.n_planes} {table.planes}s are flagged."
    numbers = ", ".join(map(str, table.flagged[:_MOST_NUMBERS]))
    end = " …" if len(table.flagged) > _MOST_NUMBERS else "."
    verb = "is" if len(table.flagged) == 1 else "are"
    return (
        f"{len(table.flagged)} of {table.n_planes} {table.planes}s {verb} flagged: {numbers}{end}"
    )
