"""Scopes of a blur in words, for lists: of one that is read off the image, and of a known one."""

from __future__ import annotations

from napari_deepblur.engine.blur import Scope

__all__ = ["KNOWN_SCOPES", "SCOPES"]

SCOPES: dict[Scope, str] = {
    "plane": "one per plane",
    "stack": "one per stack",
    "volume": "one 3-D blur",
}
KNOWN_SCOPES: dict[Scope, str] = {"stack": "plane by plane", "volume": "in 3-D"}
