"""Output of the commands about a blur that varies over the field."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.blur import BlurEstimate
from napari_deepblur.engine.psf_field import MosaicGrid, PsfField, PsfWidth, mosaic_grid, psf_field

__all__ = ["psf_mosaic", "varying_lines", "varying_object"]

#: Planes that get a line each; of more there is a summary.
_MOST_LINES = 8

_NOTE = (
    "the coefficients have no meaning of their own: look at the PSF over the field (--psf, or in "
    "napari); blur file and --json hold them with their standard errors"
)


def psf_mosaic(blur: BlurEstimate, plane: int) -> NDArray[np.float32]:
    """PSFs of one plane over the field, on the image's own grid, shape (Y, X)."""
    grid = replace(_grid(blur), zoom=1)
    return grid.draw(psf_field(blur, plane, grid).psfs)


def varying_lines(blur: BlurEstimate) -> list[str]:
    """Width of the PSF at its sharpest and its widest place: each plane's, or a summary."""
    fields = _fields(blur)
    if len(fields) > _MOST_LINES:
        sharpest = [field.sharpest.width_um for field in fields]
        widest = [field.widest.width_um for field in fields]
        lines = [
            f"PSF of {len(fields)} planes, width of half its light in µm (median, min … max):",
            f"  at the sharpest place {_extent(sharpest)}, at the widest {_extent(widest)}",
        ]
    else:
        several = len(fields) > 1
        lines = [
            f"{f'plane {index}: ' if several else ''}PSF, half its light within "
            f"{_place(field.sharpest)} … {_place(field.widest)}"
            for index, field in enumerate(fields)
        ]
    return [*lines, _NOTE]


def varying_object(blur: BlurEstimate) -> dict[str, Any]:
    """Convert the widths of the PSFs into a JSON object, a number for each row."""
    fields = _fields(blur)
    return {
        "field_shape": blur.field_shape,
        "width_um_sharpest": [field.sharpest.width_um for field in fields],
        "width_um_widest": [field.widest.width_um for field in fields],
    }


def _grid(blur: BlurEstimate) -> MosaicGrid:
    if blur.field_shape is None:
        raise ValueError("the blur does not say the shape of its field: estimate it anew")
    height, width = blur.psf(0).shape
    return mosaic_grid(blur.field_shape, (height, width))


def _fields(blur: BlurEstimate) -> list[PsfField]:
    grid = _grid(blur)
    return [psf_field(blur, plane, grid) for plane in range(len(blur.coefficients))]


def _place(width: PsfWidth) -> str:
    y, x = width.position_yx
    return f"{width.width_um:.3f} µm at pixel ({y}, {x})"


def _extent(values: list[float]) -> str:
    return f"{np.median(values):.3f} ({min(values):.3f} … {max(values):.3f})"
