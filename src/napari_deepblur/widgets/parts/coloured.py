"""Numbers as a picture in the colours of one of napari's colormaps."""

from __future__ import annotations

import numpy as np
from napari.utils import Colormap
from napari.utils.colormaps import AVAILABLE_COLORMAPS
from numpy.typing import NDArray
from qtpy.QtGui import QImage

__all__ = ["coloured"]


def coloured(values: NDArray[np.floating], colormap: str | Colormap) -> QImage:
    """Colour numbers.

    Parameters
    ----------
    values
        Numbers from 0 to 1, shape (h, w).
    colormap
        One of napari's colormaps, or its name.
    """
    chosen = AVAILABLE_COLORMAPS[colormap] if isinstance(colormap, str) else colormap
    rows, columns = values.shape
    colours = (255 * chosen.map(values.ravel())).astype(np.uint8).tobytes()
    image = QImage(colours, columns, rows, 4 * columns, QImage.Format.Format_RGBA8888)
    # The image does not own its bytes; the copy does.
    return image.copy()
