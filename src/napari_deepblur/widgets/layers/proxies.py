"""The objects behind the proxies that napari hands to plugins."""

from __future__ import annotations

from typing import TypeVar

__all__ = ["unwrapped"]

Wrapped = TypeVar("Wrapped")


def unwrapped(thing: Wrapped) -> Wrapped:
    """Return the viewer or layer behind a proxy, or the thing itself where it is none.

    napari makes a new proxy at each access, so nothing can be remembered by one.
    """
    original: Wrapped = getattr(thing, "__wrapped__", thing)
    return original
