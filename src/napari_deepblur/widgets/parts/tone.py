"""The seriousness of a message."""

from __future__ import annotations

from enum import Enum

__all__ = ["Tone"]


class Tone(Enum):
    """Seriousness of a message, with the sign that stands before it."""

    INFO = ""
    GOOD = "✓"
    WARNING = "⚠"
    ERROR = "✗"

    def marked(self, text: str) -> str:
        """Put the sign before a text."""
        return f"{self.value} {text}".strip()
