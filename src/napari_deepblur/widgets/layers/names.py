"""Names of the layers that show results."""

from __future__ import annotations

__all__ = ["result_name"]


def result_name(what: str, of: str) -> str:
    """Name a layer by what it shows, then by its image: a narrow list cuts names at their end.

    Parameters
    ----------
    what
        What it shows, such as ``PSF``.
    of
        Name of the image's layer.
    """
    return f"{what} ({of})"
