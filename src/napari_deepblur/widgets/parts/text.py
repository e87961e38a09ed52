"""Text from elsewhere, shown letter by letter: Qt takes what looks like HTML for HTML."""

from __future__ import annotations

import re
from html import escape

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QSizePolicy
from superqt import QElidingLabel

__all__ = ["breakable", "elided_label", "literal", "plain_label"]

#: Letters of a word that may not fit into a line of a dock of 300 pixels.
_LONG_WORD = 24

_SIGN = re.compile(r"([_.\-/])")


def plain_label(
    text: str = "", *, tip: str = "", wrap: bool = False, selectable: bool = False
) -> QLabel:
    """Make a label that shows its text as it is.

    Parameters
    ----------
    text
        Text to begin with.
    tip
        Tooltip, of our own words.
    wrap
        Whether long text is broken into lines.
    selectable
        Whether the text can be marked and copied.
    """
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(wrap)
    label.setToolTip(tip)
    if selectable:
        label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def elided_label() -> QElidingLabel:
    """Make a label of one line, which leaves out the middle where it is too long."""
    label = QElidingLabel()
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setElideMode(Qt.TextElideMode.ElideMiddle)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    return label


def breakable(text: str) -> str:
    """Let long words, such as names of files, be broken after their signs."""
    words = text.split(" ")
    return " ".join(_SIGN.sub("\\1\u200b", one) if len(one) > _LONG_WORD else one for one in words)


def literal(text: str) -> str:
    """Write text so that a tooltip or a message box shows it as it is."""
    lines = "<br>".join(escape(line) for line in text.split("\n"))
    return f"<qt>{lines}</qt>"
