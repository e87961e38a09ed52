"""Python's search for cyclic garbage, kept short while tasks run."""

from __future__ import annotations

import gc

__all__ = ["FullCollections"]

#: Collections of younger objects after which Python would look at all objects: too many to reach.
_NEVER = 1_000_000_000


class FullCollections:
    """Looks at all objects, which wait as long as somebody asks them to.

    A napari window holds so many objects that a look at all of them stops it for a quarter of a
    second. Garbage among young objects is looked for as ever.
    """

    def __init__(self) -> None:
        self._n_waits = 0
        self._before = gc.get_threshold()

    def hold(self) -> None:
        """Let them wait; each call needs its `release`."""
        if self._n_waits == 0:
            self._before = gc.get_threshold()
            gc.set_threshold(*self._before[:2], _NEVER)
        self._n_waits += 1

    def release(self) -> None:
        """Make up for them, when nobody else holds them."""
        self._n_waits -= 1
        if self._n_waits == 0:
            gc.set_threshold(*self._before)
