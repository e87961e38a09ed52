"""Axes of a layer in words, and the names that can be given to them."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["axes_in_words", "names_on_offer"]

#: Names of the leading axes by their number; the last two are Y and X.
_NAMES = {
    0: ("",),
    1: ("Z", "T", "C"),
    2: ("TZ", "CZ", "ZC", "TC", "CT"),
    3: ("TCZ", "TZC", "CTZ"),
}


def names_on_offer(n_axes: int) -> list[str]:
    """Letters that can name so many axes, the most usual first."""
    return [f"{lead}YX" for lead in _NAMES.get(n_axes - 2, ())]


def axes_in_words(axes: str, shape: Sequence[int]) -> str:
    """Name each axis with its size, such as ``Z 40 · Y 2048 · X 2048``."""
    return " · ".join(f"{axis} {n}" for axis, n in zip(axes, shape, strict=True))
