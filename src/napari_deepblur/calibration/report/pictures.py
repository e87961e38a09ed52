"""Arrays as pictures that an HTML file holds within itself."""

from __future__ import annotations

from base64 import b64encode
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

__all__ = ["around_zero", "colours", "grey", "hex_colour", "mosaic", "picture"]

#: Corners of viridis, blue to yellow (S. van der Walt & N. Smith, CC0).
_VIRIDIS = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))

#: Blue for what is negative, red for what is positive, white between.
_BLUE, _RED = (33, 102, 172), (178, 24, 43)

Floats = NDArray[np.floating]
Pixels = NDArray[np.uint8]


def picture(pixels: Pixels, alt: str, *, width: int, smooth: bool = False) -> str:
    """Make an `img` element with its PNG inside, of grey (h, w) or colour (h, w, 3) pixels."""
    data = b64encode(_png(pixels)).decode()
    style = "" if smooth else ' class="pixels"'
    return f'<img{style} width="{width}" alt="{alt}" src="data:image/png;base64,{data}">'


def grey(image: Floats, *, top: float | None = None) -> Pixels:
    """Show light as grey by its square root, so that faint tails are seen; white at `top`."""
    highest = max(float(image.max()) if top is None else top, 1e-30)
    return np.asarray(255 * np.sqrt(np.clip(image / highest, 0, 1)), np.uint8)


def around_zero(image: Floats) -> Pixels:
    """Show negative values blue and positive ones red, shape (h, w, 3)."""
    scaled = np.asarray(image / max(float(np.abs(image).max()), 1e-30))
    end = np.where(scaled[..., None] < 0, _BLUE, _RED)
    strength = np.abs(scaled)[..., None] ** 0.7
    return np.asarray(255 + strength * (end - 255.0), np.uint8)


def colours(values: Floats, low: float, high: float) -> Pixels:
    """Show values between two ends as colours from blue to yellow, shape (..., 3)."""
    share = np.clip((np.asarray(values) - low) / max(high - low, 1e-30), 0, 1)
    corners = np.linspace(0, 1, len(_VIRIDIS))
    return np.stack([np.interp(share, corners, c) for c in np.transpose(_VIRIDIS)], -1).astype(
        np.uint8
    )


def hex_colour(value: float, low: float, high: float) -> str:
    """Colour of one value, such as ``#440154``."""
    return "#" + bytes(colours(np.array(value), low, high)).hex()


def mosaic(psfs: Floats, n_columns: int) -> Floats:
    """Lay PSFs (M, h, w) side by side, row by row, with a line of 0 between them."""
    framed = np.pad(psfs, ((0, 0), (0, 1), (0, 1)))
    n, height, width = framed.shape
    rows = framed.reshape(n // n_columns, n_columns, height, width)
    whole = rows.transpose(0, 2, 1, 3).reshape(-1, n_columns * width)
    return np.asarray(whole[:-1, :-1])


def _png(pixels: Pixels) -> bytes:
    """Encode 8-bit pixels (h, w) or (h, w, 3) as PNG."""
    from PIL import Image

    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG", optimize=True)
    return file.getvalue()
