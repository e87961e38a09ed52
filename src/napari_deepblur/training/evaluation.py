"""Accuracy of a model on held-out images, beside the floors that no model may miss.

The product itself is measured, `estimate_blur` and `deblur`, not the bare networks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Generator, Tensor

from napari_deepblur.engine.blur import BlurEstimate
from napari_deepblur.engine.deblur import deblur
from napari_deepblur.engine.estimate import estimate_blur
from napari_deepblur.engine.events import Job, Progress
from napari_deepblur.engine.metrics import psf_snr, psnr
from napari_deepblur.engine.models import Model, save_card
from napari_deepblur.optics.settings import CANONICAL_CUTOFF, Optics
from napari_deepblur.training.loop import held_out_crops
from napari_deepblur.training.sources import ImageFolder
from napari_deepblur.training.synthesis import add_noise, observe

__all__ = ["Accuracy", "evaluate_job", "markdown_table", "record"]

_PIXEL_UM = 0.1
#: Any microscope whose images have the canonical cutoff.
_OPTICS = Optics(
    numerical_aperture=1.3,
    wavelength_um=1.3 * _PIXEL_UM / CANONICAL_CUTOFF,
    pixel_size_um=_PIXEL_UM,
    refractive_index=1.518,
)
_MARGIN = 16


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Figures of one image set at one noise level; means over images, dB unless said."""

    images: str
    noise_level: float
    n: int
    psf_snr: float
    psf_snr_median: float
    psf_snr_5_percent: float
    coefficient_rmse_waves: float
    floor_unaberrated: float
    floor_mean_psf: float
    floor_random_psf: float
    psnr_observed: float | None = None
    psnr_estimated_operator: float | None = None
    psnr_true_operator: float | None = None


def evaluate_job(
    model: Model,
    folders: Mapping[str, Path],
    *,
    n_images: int = 60,
    size: int = 400,
    noise_levels: tuple[float, ...] = (0.0, 0.01, 0.02, 0.05, 0.1),
    deblur_at: tuple[float, ...] = (0.02,),
) -> Job[tuple[Accuracy, ...]]:
    """Measure a model on the held-out images of some folders.

    Parameters
    ----------
    model
        To be measured.
    folders
        By the name of the image set; their held-out files are used.
    n_images
        Blurs × images for each figure.
    size
        Side of the observed images.
    noise_levels
        σ relative to the maximum of the noiseless blurred image.
    deblur_at
        Those noise levels at which deblurring is measured too, which takes longer.
    """
    held_out = {name: ImageFolder(path, held_out=True) for name, path in folders.items()}
    family = model.family
    gamma = family.admissible_set.sample(n_images, seed=1)
    psf = family.psf(gamma)
    total = len(held_out) * len(noise_levels) * n_images
    done = 0
    results = []
    for name, sharp in held_out_crops(held_out, n_images, size + psf.shape[-1] - 1):
        clean = observe(sharp, psf)
        truth = sharp[..., psf.shape[-1] // 2 :, psf.shape[-1] // 2 :][..., :size, :size]
        for level in noise_levels:
            generator = Generator().manual_seed(2)
            noisy = add_noise(clean, torch.full((n_images,), level), generator)
            blurs = []
            for image in noisy:
                blurs.append(estimate_blur(image.numpy(), optics=_OPTICS, model=model))
                done += 1
                yield Progress(done, total, f"{name}, σ = {level:g}")
            figures = _identification_figures(model, blurs, gamma, psf)
            if level in deblur_at:
                figures |= yield from _deblurring_figures(noisy, truth, blurs, gamma)
            results.append(Accuracy(images=name, noise_level=level, n=n_images, **figures))
    return tuple(results)


def _identification_figures(
    model: Model, blurs: list[BlurEstimate], gamma: Tensor, psf: Tensor
) -> dict[str, float]:
    family = model.family
    answer = torch.from_numpy(np.concatenate([blur.coefficients for blur in blurs]))
    snr = psf_snr(family.psf(answer), psf)
    error = (answer - gamma).square().mean(-1)
    twin_error = (family.admissible_set.twin(answer) - gamma).square().mean(-1)
    return {
        "psf_snr": float(snr.mean()),
        "psf_snr_median": float(snr.median()),
        "psf_snr_5_percent": float(snr.quantile(0.05)),
        "coefficient_rmse_waves": float(torch.minimum(error, twin_error).mean().sqrt()),
        "floor_unaberrated": float(psf_snr(family.psf(torch.zeros_like(gamma)), psf).mean()),
        "floor_mean_psf": float(psf_snr(model.space.mean.expand_as(psf), psf).mean()),
        "floor_random_psf": float(psf_snr(psf.roll(1, 0), psf).mean()),
    }


def _deblurring_figures(
    noisy: Tensor, truth: Tensor, blurs: list[BlurEstimate], gamma: Tensor
) -> Job[dict[str, float]]:
    observed: list[float] = []
    estimated: list[float] = []
    true: list[float] = []
    inner = (..., slice(_MARGIN, -_MARGIN), slice(_MARGIN, -_MARGIN))
    for index, (image, sharp, blur) in enumerate(zip(noisy, truth, blurs, strict=True)):
        known = BlurEstimate(gamma[index, None].numpy(), blur.std, blur.optics, blur.model)
        for answers, used in ((estimated, blur), (true, known)):
            restored = torch.from_numpy(deblur(image.numpy(), used))
            answers.append(float(psnr(restored[inner], sharp[inner])))
        observed.append(float(psnr(image[inner], sharp[inner])))
        yield Progress(index + 1, len(noisy), "deblurring")
    return {
        "psnr_observed": float(np.mean(observed)),
        "psnr_estimated_operator": float(np.mean(estimated)),
        "psnr_true_operator": float(np.mean(true)),
    }


_IDENTIFICATION_HEADER = """\
| images | σ | n | PSF-SNR mean / median / 5 % (dB) | RMSE (waves) | unaberrated PSF (dB) \
| mean PSF (dB) | another PSF (dB) |
|---|---|---|---|---|---|---|---|"""

_DEBLURRING_HEADER = """\
| images | σ | PSNR observed (dB) | deblurred, estimated PSF (dB) | deblurred, true PSF (dB) |
|---|---|---|---|---|"""


def markdown_table(results: tuple[Accuracy, ...]) -> str:
    """The figures as two Markdown tables, floors beside them."""
    lines = [_IDENTIFICATION_HEADER]
    lines += [
        f"| {r.images} | {r.noise_level:g} | {r.n} "
        f"| **{r.psf_snr:.1f}** / {r.psf_snr_median:.1f} / {r.psf_snr_5_percent:.1f} "
        f"| {r.coefficient_rmse_waves:.3f} | {r.floor_unaberrated:.1f} "
        f"| {r.floor_mean_psf:.1f} | {r.floor_random_psf:.1f} |"
        for r in results
    ]
    lines += ["", _DEBLURRING_HEADER]
    lines += [
        f"| {r.images} | {r.noise_level:g} | {r.psnr_observed:.2f} "
        f"| **{r.psnr_estimated_operator:.2f}** | {r.psnr_true_operator:.2f} |"
        for r in results
        if r.psnr_observed is not None
    ]
    return "\n".join(lines) + "\n"


_TABLE_START, _TABLE_END = "<!-- accuracy -->", "<!-- /accuracy -->"


def record(model: Model, results: tuple[Accuracy, ...]) -> None:
    """Write the figures into the model's `model.json` and its card `README.md`.

    In the card they replace what stands between the two accuracy marks, or follow its end.
    """
    card = model.card
    kinds = {"identification": ("psf_snr", "coefficient"), "deblurring": ("psnr",)}
    updates = {}
    for kind, prefixes in kinds.items():
        network = getattr(card, kind)
        if network is not None:
            figures = {
                f"{result.images} sigma={result.noise_level:g} {name}": round(value, 4)
                for result in results
                for name, value in asdict(result).items()
                if name.startswith(prefixes) and value is not None
            }
            updates[kind] = network.model_copy(update={"accuracy": figures})
    save_card(model.folder, card.model_copy(update=updates))

    path = model.folder / "README.md"
    text = path.read_text(encoding="utf-8") if path.exists() else f"# {model.name}\n"
    before, _, rest = text.partition(_TABLE_START)
    after = rest.partition(_TABLE_END)[2]
    table = f"{_TABLE_START}\n\n{markdown_table(results)}\n{_TABLE_END}"
    path.write_text(f"{before.rstrip()}\n\n{table}{after or chr(10)}", encoding="utf-8")
