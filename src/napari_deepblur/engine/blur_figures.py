"""Figures of a blur as a table: one line for each plane, or for each volume."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from napari_deepblur.atomic import check_replaceable, replacing
from napari_deepblur.engine.blur import BlurEstimate
from napari_deepblur.engine.psf_quality import (
    PSF_3D_SHAPE,
    PsfQuality,
    quality_of_planes,
    quality_of_volumes,
)
from napari_deepblur.engine.volume.blur import VolumeBlurEstimate

__all__ = ["with_unit", "write_figures"]


def write_figures(
    blur: BlurEstimate | VolumeBlurEstimate,
    path: str | Path,
    *,
    quality: PsfQuality | None = None,
    overwrite: bool = False,
) -> None:
    """Write the figures of each plane, or volume, to a CSV file.

    The columns are its number; each coefficient and its standard error, with their unit; the
    Strehl ratio; the width within which half of the light falls, µm, and of a 3-D PSF its full
    width at half maximum along z; and the kinds of what speaks against the estimate. A PSF that
    varies over the field is that of the field's centre. What is not known is left empty.

    Parameters
    ----------
    blur
        The blur.
    path
        File to write.
    quality
        Figures of its PSFs, if they are known already.
    overwrite
        Whether the file may exist.

    Raises
    ------
    FileExistsError
        If the file exists and `overwrite` is false.
    """
    path = Path(path)
    check_replaceable(path, overwrite=overwrite)
    with replacing(path) as aside, aside.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(_lines(blur, quality or _quality(blur)))


def with_unit(name: str, unit: str) -> str:
    """Add the unit to the name of a coefficient, unless it says its own."""
    return name if "(" in name else f"{name} ({unit})"


def _quality(blur: BlurEstimate | VolumeBlurEstimate) -> PsfQuality:
    rows = range(len(blur.coefficients))
    if isinstance(blur, VolumeBlurEstimate):
        psfs = np.stack([blur.psf_3d(PSF_3D_SHAPE, row) for row in rows])
        return quality_of_volumes(blur, psfs)
    return quality_of_planes(blur.optics, np.stack([blur.psf(row) for row in rows]))


def _lines(blur: BlurEstimate | VolumeBlurEstimate, quality: PsfQuality) -> Iterator[list[str]]:
    unit = "waves RMS" if isinstance(blur, VolumeBlurEstimate) else blur.family.unit
    names = [with_unit(name, unit) for name in blur.coefficient_names]
    with_std = [column for name in names for column in (name, f"std of {name}")]
    figures = quality.figures
    yield ["volume" if blur.per == "volume" else "plane", *with_std, *figures, "doubts"]
    for row, (coefficients, std) in enumerate(zip(blur.coefficients, blur.std, strict=True)):
        numbers = [*np.column_stack([coefficients, std]).ravel()]
        numbers += [values[row] for values in figures.values()]
        doubts = [concern.kind.value for concern in (blur.concerns[row] if blur.concerns else ())]
        yield [str(row), *map(_written, numbers), "; ".join(doubts)]


def _written(number: float) -> str:
    return f"{number:.5g}" if np.isfinite(number) else ""
