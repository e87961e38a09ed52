"""Text from elsewhere, shown letter by letter: Qt takes what looks like HTML for HTML."""

from __future__ import annotations

from html import escape

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel

__all__ = ["literal", "plain_label"]


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


def literal(text: str) -> str:
    """Write text so that a tooltip or a message box shows it as it is."""
    lines = "<br>".join(escape(line) for line in text.split("\n"))
    return f"<qt>{lines}</qt>"
