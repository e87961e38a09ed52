"""How near deblurred images come to the sharp ones, with the estimated PSF and with the true."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor

from napari_deepblur.engine.blur import BlurEstimate
from napari_deepblur.engine.deblur import deblur
from napari_deepblur.engine.estimate import estimate_blur
from napari_deepblur.engine.events import Job, Progress
from napari_deepblur.engine.metrics import psnr
from napari_deepblur.training.evaluation.bench import Bench, noisy, optics_at
from napari_deepblur.training.evaluation.tables import Table, markdown

__all__ = ["deblurring_job"]

_NOISE_LEVELS = (0.01, 0.02, 0.05)
_MARGIN = 16


@dataclass(frozen=True, slots=True)
class _Restoration:
    """Mean PSNR in dB; None where the model has no identification network."""

    images: str
    noise_level: float
    psnr_observed: float
    psnr_estimated_operator: float | None
    psnr_true_operator: float


def deblurring_job(bench: Bench, noise_levels: tuple[float, ...] = _NOISE_LEVELS) -> Job[Table]:
    """PSNR before and after deblurring on each image set at each noise level."""
    rows = []
    border = bench.psf.shape[-1] // 2
    for name in bench.images:
        clean = bench.blurred(name, bench.psf)
        sharp = bench.scenes(name, bench.size + 2 * border, len(clean))
        sharp = sharp[..., border:-border, border:-border]
        for level in noise_levels:
            means = yield from _restore_job(bench, noisy(clean, level), sharp, name, level)
            rows.append(_Restoration(name, level, *means))
    return _table(rows)


def _restore_job(
    bench: Bench, images: Tensor, sharp: Tensor, name: str, level: float
) -> Job[tuple[float, float | None, float]]:
    identifies = bench.model.card.identification is not None
    observed, estimated, true = [], [], []
    for index, (image, truth) in enumerate(zip(images, sharp, strict=True)):
        observed.append(_psnr(image, truth))
        if identifies:
            blur = estimate_blur(
                image.numpy(), optics=optics_at(), model=bench.model, device=bench.device
            )
            estimated.append(_psnr(_restored(bench, image, blur), truth))
        true.append(_psnr(_restored(bench, image, _known(bench, index)), truth))
        yield Progress(index + 1, len(images), f"{name}, σ = {level:g}")
    mean = float(np.mean(estimated)) if identifies else None
    return float(np.mean(observed)), mean, float(np.mean(true))


def _known(bench: Bench, index: int) -> BlurEstimate:
    gamma = bench.coefficients[index, None].numpy()
    return BlurEstimate(gamma, np.zeros_like(gamma), optics_at(), bench.model.reference)


def _restored(bench: Bench, image: Tensor, blur: BlurEstimate) -> Tensor:
    return torch.from_numpy(deblur(image.numpy(), blur, model=bench.model, device=bench.device))


def _psnr(image: Tensor, sharp: Tensor) -> float:
    inner = (slice(_MARGIN, -_MARGIN), slice(_MARGIN, -_MARGIN))
    return float(psnr(image[inner], sharp[inner]))


_HEAD = (
    "images", "σ", "PSNR observed (dB)", "deblurred, estimated PSF (dB)",
    "deblurred, true PSF (dB)",
)  # fmt: skip


def _table(rows: list[_Restoration]) -> Table:
    cells = [
        [
            row.images,
            f"{row.noise_level:g}",
            f"{row.psnr_observed:.2f}",
            "–"
            if row.psnr_estimated_operator is None
            else f"**{row.psnr_estimated_operator:.2f}**",
            f"{row.psnr_true_operator:.2f}",
        ]
        for row in rows
    ]
    figures = {
        f"{row.images} sigma={row.noise_level:g} {name}": value
        for row in rows
        for name, value in asdict(row).items()
        if name.startswith("psnr") and value is not None
    }
    return Table("deblurring", "Deblurring", markdown(_HEAD, cells), figures)
