"""Place of results that come plane by plane: memory, or a file that grows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_deepblur.engine.axes import Planes

if TYPE_CHECKING:
    from napari_deepblur.io.partial_image import PartialImage

__all__ = ["destination"]


def destination(planes: Planes, into: PartialImage | None) -> tuple[Any, list[int]]:
    """Return an array for results of all planes, and the planes that it still lacks.

    Parameters
    ----------
    planes
        Image that is worked on.
    into
        File that grows; by default the results stay in memory.

    Returns
    -------
    results
        Float32, shape of the image; planes are assigned to `Planes.position`.
    missing
        Numbers of the planes to be computed.
    """
    if into is None:
        return np.empty(planes.shape, np.float32), list(range(len(planes)))
    return into, [index for index in range(len(planes)) if index not in into.finished]
