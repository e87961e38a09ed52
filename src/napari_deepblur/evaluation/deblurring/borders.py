"""Comparison of deblurring at the borders of an image and inside."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_deepblur.evaluation.deblurring.restoration import USUAL_LEVEL, Restoration
from napari_deepblur.evaluation.tables import Table, markdown

__all__ = ["borders_table"]

_HEAD = (
    "images", "n", "deblurred, inside (dB)", "deblurred, border band (dB)", "difference (dB)",
    "difference of the observed image (dB)",
)  # fmt: skip


def borders_table(restorations: Sequence[Restoration]) -> Table:
    """Mean PSNR inside and in the border band, true operator, σ = 0.02."""
    usual = [one for one in restorations if one.noise_level == USUAL_LEVEL]
    cells: list[list[str]] = []
    figures: dict[str, float] = {}
    for images in dict.fromkeys(one.images for one in usual):
        part = [one for one in usual if one.images == images]
        inside, band = np.mean([one.true_inside_and_band for one in part], 0).tolist()
        before = np.mean([one.observed_inside_and_band for one in part], 0).tolist()
        cells.append(
            [
                images,
                str(len(part)),
                f"{inside:.2f}",
                f"{band:.2f}",
                f"**{inside - band:+.2f}**",
                f"{before[0] - before[1]:+.2f}",
            ]
        )
        figures[f"{images} borders: difference_db"] = inside - band
        figures[f"{images} borders: observed_difference_db"] = before[0] - before[1]
    return Table("borders", "Borders", markdown(_HEAD, cells), figures)
