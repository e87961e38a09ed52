"""Merge what the user typed, what a file or layer states, and defaults into the optics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from napari_deepblur.errors import ImageError
from napari_deepblur.io.metadata import are_square
from napari_deepblur.optics.settings import Optics

__all__ = [
    "Known",
    "merge_optics",
    "missing_optics",
    "optics_of",
    "require_square_pixels",
    "stated",
]


@dataclass(frozen=True, slots=True)
class Known:
    """A value, and the source that states it, such as "typed" or "file"."""

    value: float
    source: str


def stated(source: str, by: Any) -> dict[str, Known]:
    """Optical values that an object has as attributes; those that are None are left out.

    Parameters
    ----------
    source
        Name of the source, for the user.
    by
        Object with attributes named as the fields of `Optics`, any of which may be absent.
    """
    values = {name: getattr(by, name, None) for name in Optics.model_fields}
    return {name: Known(value, source) for name, value in values.items() if value is not None}


def merge_optics(*sources: Mapping[str, Known]) -> dict[str, Known]:
    """Take each value from the first source that states it, or else its default.

    Parameters
    ----------
    *sources
        Values by their field of `Optics`; what was typed comes first.
    """
    defaults = {
        name: Known(field.default, "default")
        for name, field in Optics.model_fields.items()
        if not field.is_required()
    }
    merged: dict[str, Known] = {}
    for source in reversed((*sources, defaults)):
        merged |= source
    return merged


def missing_optics(known: Mapping[str, Known]) -> list[str]:
    """Fields of `Optics` that no source states."""
    return [name for name in Optics.model_fields if name not in known]


def optics_of(known: Mapping[str, Known]) -> Optics:
    """Optics of merged values, none of which is missing.

    Raises
    ------
    pydantic.ValidationError
        For values that no microscope has.
    """
    return Optics.model_validate({name: known[name].value for name in Optics.model_fields})


def require_square_pixels(sides_um: tuple[float, float]) -> None:
    """Refuse pixels whose sides differ: the blur would not be the same along both axes.

    Parameters
    ----------
    sides_um
        Sides of a pixel along Y and X, µm.

    Raises
    ------
    ImageError
        If they differ by more than 1 %.
    """
    if not are_square(sides_um):
        y, x = sides_um
        raise ImageError(
            f"the pixels are not square: {y:.4g} µm in Y, {x:.4g} µm in X. Resample the image to "
            "square pixels, or correct the scale that it states"
        )
