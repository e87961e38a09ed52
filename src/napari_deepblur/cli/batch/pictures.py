"""Small pictures of a deblurred image for the report of a batch."""

from __future__ import annotations

from base64 import b64encode
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.cli.restoration import RestoredFiles
from napari_deepblur.engine.axes import Planes
from napari_deepblur.engine.volume.blur import VolumeBlurEstimate
from napari_deepblur.io import read_image

__all__ = ["pictures_of"]

#: Side of the part that is shown, pixels, and the shares of pixels that are black and white.
_SIDE, _BLACK, _WHITE = 256, 0.01, 0.999


def pictures_of(files: RestoredFiles) -> dict[str, str]:
    """Show the middle of the middle plane before and after, and the PSF there.

    Parameters
    ----------
    files
        What was deblurred.

    Returns
    -------
        PNG in base 64, by `before`, `after` and `psf`.
    """
    before = Planes.of(files.source.data, files.source.axes)
    after = Planes.of(read_image(files.written["out"]).data, before.axes)
    middle = len(before) // 2
    rows, columns = (_middle(side) for side in before.plane_shape)
    parts = [planes.read(middle, (rows, columns)) for planes in (before, after)]
    low, high = (float(np.nanquantile(parts[i], q)) for i, q in ((0, _BLACK), (1, _WHITE)))
    shown = [np.nan_to_num((part - low) / max(high - low, 1e-30)) for part in parts]
    psf = _psf(files.restored.blur, middle)
    return {
        "before": _png(shown[0]),
        "after": _png(shown[1]),
        "psf": _png(np.sqrt(psf.clip(0) / psf.max())),
    }


def _middle(side: int) -> slice:
    start = max(side - _SIDE, 0) // 2
    return slice(start, min(start + _SIDE, side))


def _psf(blur: Any, plane: int) -> NDArray[np.float32]:
    if isinstance(blur, VolumeBlurEstimate):
        volume = blur.psf_3d(volume=0)
        psf: NDArray[np.float32] = volume[len(volume) // 2]
    else:
        psf = blur.psf(plane)
    return psf


def _png(share: NDArray[Any]) -> str:
    """Encode a picture of values from 0, black, to 1, white."""
    from PIL import Image

    file = BytesIO()
    pixels = np.asarray(255 * share.clip(0, 1), np.uint8)
    Image.fromarray(pixels).save(file, "PNG", optimize=True)
    return b64encode(file.getvalue()).decode()
