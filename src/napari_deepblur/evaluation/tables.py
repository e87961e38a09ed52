"""Figures as people read them, Markdown, and as programs do, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Table", "markdown"]


@dataclass(frozen=True, slots=True)
class Table:
    """Figures of one measurement, as a table for people and by name for programs.

    Attributes
    ----------
    name
        Of its place in a page.
    title
        Heading of the table.
    text
        The table in Markdown.
    figures
        By name, such as ``natural sigma=0.05 psf_snr``.
    """

    name: str
    title: str
    text: str
    figures: Mapping[str, float]


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Format a Markdown table; all rows must be as long as the head."""
    lines = [head, ["---"] * len(head), *rows]
    if any(len(line) != len(head) for line in lines):
        raise ValueError(f"every row needs {len(head)} cells, got {[len(r) for r in rows]}")
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
