"""Lengths and times as files spell them, in µm and s; sizes of files in words.

Units are those of the library pint, in the spellings that microscopes' programs use.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import Any

__all__ = ["bytes_text", "length_um", "number", "positive", "time_s", "unit_factor"]

#: Ways in which a micro sign arrives: ImageJ's escape, UTF-8 read as Latin-1, Mac's encoding.
_MICRO = re.compile(r"\\u00b5|\\u03bc|Âµ|Î¼|&#181;|æ(?=m\b)", re.IGNORECASE)
_PER_PIXEL = re.compile(r"\s*(/|\bper\b)\s*(pixel|px|voxel|plane|slice|frame)s?$", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+")


def length_um(value: object, unit: object) -> float | None:
    """Length in µm; None if it is no positive number, or its unit is none of length."""
    return _converted(value, unit, "micrometer")


def time_s(value: object, unit: object) -> float | None:
    """Time in s; None if it is no positive number, or its unit is none of time."""
    return _converted(value, unit, "second")


def positive(value: object) -> float | None:
    """Positive finite number, or None for anything else."""
    found = number(value)
    return found if found is not None and found > 0 else None


def number(value: object) -> float | None:
    """Finite number, or None for anything else; a comma may stand for the decimal point."""
    if isinstance(value, str) and value.count(",") == 1 and "." not in value:
        value = value.replace(",", ".")
    try:
        found = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def unit_factor(unit: object, target: str) -> float | None:
    """Return how many target units are in one unit; None if it is unknown or of another kind.

    Parameters
    ----------
    unit
        Unit as a file spells it.
    target
        Unit in pint's spelling: `micrometer` or `second`.
    """
    word = _PER_PIXEL.sub("", _MICRO.sub("µ", str(unit))).strip().rstrip(".")
    if not _WORD.fullmatch(word):
        return None
    factors = (_factor(spelling, target) for spelling in (word, word.lower()))
    return next((factor for factor in factors if factor is not None), None)


def _converted(value: object, unit: object, target: str) -> float | None:
    found, factor = positive(value), unit_factor(unit, target)
    return None if found is None or factor is None else positive(found * factor)


def bytes_text(n_bytes: float) -> str:
    """Size of a file in words, such as 1.5 GB."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if n_bytes >= size:
            return f"{n_bytes / size:.3g} {unit}"
    return f"{n_bytes / 1e3:.3g} kB"


@lru_cache(maxsize=256)
def _factor(word: str, target: str) -> float | None:
    registry = _registry()
    try:
        unit = registry.parse_units(word)
    # A word that is no unit raises errors of several kinds, none with a common parent.
    except Exception:  # noqa: BLE001
        return None
    if not unit.is_compatible_with(target) or "pixel" in str(unit):
        return None
    return float(registry.Quantity(1.0, unit).to(target).magnitude)


def _registry() -> Any:
    import pint

    return pint.get_application_registry()
