"""Quality of deblurred images with the estimated PSF and with the true one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from napari_deepblur.evaluation.deblurring.restoration import (
    Quality,
    Restoration,
    mean_quality,
)
from napari_deepblur.evaluation.tables import Table, markdown

__all__ = ["deblurring_table", "quality_cell"]

_HEAD = (
    "images", "σ", "n", "observed: PSNR (dB) / SSIM", "estimated PSF: PSNR (dB) / SSIM",
    "true PSF: PSNR (dB) / SSIM", "gain, estimated PSF (dB)", "gain, true PSF (dB)",
)  # fmt: skip


def deblurring_table(restorations: Sequence[Restoration]) -> Table:
    """Mean PSNR and SSIM before and after, for each image set and noise level."""
    cells: list[list[str]] = []
    figures: dict[str, float] = {}
    by_row = groupby(restorations, lambda one: (one.images, one.noise_level))
    for (images, level), group in by_row:
        part = list(group)
        means = {
            "observed": mean_quality([one.observed for one in part]),
            "estimated_operator": mean_quality([one.estimated for one in part]),
            "true_operator": mean_quality([one.true for one in part]),
        }
        observed, estimated, true = means.values()
        cells.append(
            [
                images,
                f"{level:g}",
                str(len(part)),
                quality_cell(observed),
                quality_cell(estimated, bold=True),
                quality_cell(true),
                _gain(observed, estimated),
                _gain(observed, true),
            ]
        )
        for name, mean in means.items():
            if mean is not None:
                figures[f"{images} sigma={level:g} psnr_{name}"] = mean.psnr
                figures[f"{images} sigma={level:g} ssim_{name}"] = mean.ssim
    return Table("deblurring", "Deblurring", markdown(_HEAD, cells), figures)


def quality_cell(quality: Quality | None, *, bold: bool = False) -> str:
    """Both figures as a table shows them."""
    if quality is None:
        return "–"
    text = f"{quality.psnr:.2f} / {quality.ssim:.3f}"
    return f"**{text}**" if bold else text


def _gain(observed: Quality | None, restored: Quality | None) -> str:
    return "–" if observed is None or restored is None else f"{restored.psnr - observed.psnr:+.2f}"
