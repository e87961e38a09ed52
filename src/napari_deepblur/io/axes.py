"""Dimensions of stored images: their letters, and the order T C Z Y X."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from napari_deepblur.errors import ImageError

__all__ = ["AXES", "arrange", "default_axes", "is_apart", "letters_of_names"]

#: Letters of the dimensions that the engine knows, in their order.
AXES = "TCZYX"
#: Letters that formats use for a dimension of unknown meaning.
_UNKNOWN = "IQ"

_NAMES = {
    "T": {"t", "time", "frame", "frames"},
    "C": {"c", "channel", "channels", "ch", "e", "lambda", "wavelength"},
    "Z": {"z", "depth", "slice", "slices", "plane", "planes", "focus"},
    "Y": {"y", "row", "rows", "height"},
    "X": {"x", "column", "columns", "col", "cols", "width"},
}
_TYPES = {"time": "T", "channel": "C"}


def default_axes(n_dimensions: int) -> str:
    """Give an array without names the last letters of T C Z Y X.

    Parameters
    ----------
    n_dimensions
        Number of its dimensions.

    Raises
    ------
    ImageError
        For fewer than 2 or more than 5 dimensions.
    """
    if not 2 <= n_dimensions <= len(AXES):
        raise ImageError(f"expected an image with 2 to 5 dimensions, got {n_dimensions}")
    return AXES[-n_dimensions:]


def is_apart(letter: str) -> bool:
    """Tell whether a dimension holds images apart, such as positions, angles or phases.

    Parameters
    ----------
    letter
        tifffile's letter of the dimension; S are the samples of a colour pixel.
    """
    return letter not in AXES + _UNKNOWN + "S"


def letters_of_names(names: Sequence[str], types: Sequence[str | None]) -> str:
    """Find one letter for each dimension of a zarr array.

    Parameters
    ----------
    names
        Name of each dimension, as its program chose it.
    types
        OME-Zarr's type of each dimension: time, channel, space or another; None where the
        file is silent.

    Returns
    -------
        Letters of T C Z Y X; R stands for a dimension that is none of these.
    """
    letters = [
        _TYPES.get(str(kind)) or _letter_of_name(name)
        for name, kind in zip(names, types, strict=True)
    ]
    spaces = [place for place, kind in enumerate(types) if kind == "space"]
    # OME-Zarr orders the axes of space as Z Y X, whatever their names.
    if any(letters[place] is None for place in spaces) and len(spaces) <= 3:
        for place, letter in zip(reversed(spaces), "XYZ", strict=False):
            letters[place] = letter
    return "".join(letter or "R" for letter in letters)


def arrange(data: Any, stored: str, axes: str | None = None) -> tuple[Any, str]:
    """Bring an array's dimensions into the order T C Z Y X.

    Parameters
    ----------
    data
        Array as stored.
    stored
        Letter of each dimension: besides T C Z Y X these are I and Q (unknown).
    axes
        The user's own letters of T C Z Y X, which override the stored ones.

    Returns
    -------
    data
        The array, transposed where needed.
    axes
        Its letters.

    Raises
    ------
    ImageError
        If axes do not fit the array, or leave no image with Y and X.
    """
    letters = _name_unknown(stored, data.shape) if axes is None else _check(axes, data.shape)
    order = sorted(range(len(letters)), key=lambda place: AXES.index(letters[place]))
    if order != list(range(len(letters))):
        data = data.transpose(order)
    return data, "".join(letters[place] for place in order)


def _letter_of_name(name: str) -> str | None:
    word = str(name).strip().lower()
    return next((letter for letter, words in _NAMES.items() if word in words), None)


def _name_unknown(stored: str, shape: Sequence[int]) -> str:
    """Letters for dimensions that the file leaves unnamed: Z for the last, then T, then C."""
    free = [letter for letter in "ZTC" if letter not in stored]
    letters = list(stored)
    for place in reversed(range(len(letters))):
        if letters[place] not in AXES:
            if not free:
                raise ImageError(
                    f"the meaning of the image's dimensions ({stored}) is not clear: name them "
                    "by letters of TCZYX (axes)"
                )
            letters[place] = free.pop(0)
    if not {"Y", "X"} <= set(letters) or len(set(letters)) != len(letters):
        raise ImageError(
            f"this is not an image with Y and X: its dimensions are {stored or 'none'}, shape "
            f"{tuple(int(n) for n in shape)}; if these are misnamed, name them by letters of "
            "TCZYX (axes)"
        )
    return "".join(letters)


def _check(axes: str, shape: Sequence[int]) -> str:
    letters = axes.upper()
    if len(letters) != len(shape):
        raise ImageError(
            f"axes {axes!r} name {len(letters)} dimensions, the image has {len(shape)}: "
            f"{tuple(int(n) for n in shape)}"
        )
    known = set(letters) <= set(AXES) and len(set(letters)) == len(letters)
    if not known or not {"Y", "X"} <= set(letters):
        raise ImageError(
            f"axes {axes!r} are not understood: use letters of TCZYX, each once, with Y and X, "
            "such as 'ZYX' or 'TYX'"
        )
    return letters
