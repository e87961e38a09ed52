"""Rows of a field that tiles complete, handed on as soon as no more tiles reach into them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.partition import Tile

__all__ = ["Strip"]


class Strip:
    """The rows of a field that are in the making.

    Parameters
    ----------
    shape
        (Y, X) of the field.
    band
        Number of rows by whose multiples they are handed on.
    put
        Takes rows of the field and their values, shape (rows, X).
    """

    def __init__(
        self,
        shape: tuple[int, int],
        band: int,
        put: Callable[[slice, NDArray[np.float32]], None],
    ) -> None:
        self._shape, self._band, self._put = shape, band, put
        self._first = 0
        self._rows = np.zeros((0, shape[1]), np.float32)

    def add(self, tile: Tile, result: NDArray[np.float32]) -> None:
        """Add the result of a tile, none of which lies above the one before."""
        rows, _ = tile.write
        self._hand_on(rows.start - rows.start % self._band)
        missing = rows.stop - self._first - len(self._rows)
        if missing > 0:
            below = np.zeros((missing, self._shape[1]), np.float32)
            self._rows = np.concatenate([self._rows, below])
        tile.add_to(self._rows, result, first_row=self._first)

    def close(self) -> None:
        """Hand on what is left."""
        self._hand_on(self._shape[0])

    def _hand_on(self, last: int) -> None:
        n_rows = last - self._first
        if n_rows > 0:
            self._put(slice(self._first, last), self._rows[:n_rows])
            self._rows = self._rows[n_rows:].copy()
            self._first = last
