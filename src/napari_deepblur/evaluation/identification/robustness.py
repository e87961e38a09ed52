"""Accuracy lost to faults of sample and camera, and to other samplings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from napari_deepblur.engine.events import Job
from napari_deepblur.evaluation.bench import (
    Bench,
    Readings,
    noisy,
    optics_at,
    read_job,
)
from napari_deepblur.evaluation.tables import Table, markdown
from napari_deepblur.training.data.synthesis import (
    Haze,
    hot_pixels,
    quantise,
    saturate,
    uneven_illumination,
)

__all__ = ["robustness_job"]

_NOISE_LEVEL = 0.01
_CUTOFFS = (0.15, 0.2, 0.3, 0.35)
_HAZE_SHARE = 0.5
_HAZE_DEPTHS_UM = (0.5, 3.0)
_SEED = 4


@dataclass(frozen=True, slots=True)
class _Loss:
    images: str
    fault: str
    psf_snr: float
    loss: float
    standard_error: float
    in_domain: float


def robustness_job(bench: Bench) -> Job[Table]:
    """PSF-SNR lost to each fault, in dB, at σ = 0.01."""
    rows = []
    for name in bench.images:
        clean = bench.blurred(name, bench.psf)
        n = len(clean)
        stage = f"{name}, without fault"
        usual = yield from read_job(bench, noisy(clean, _NOISE_LEVEL), n, stage)
        reference = bench.snr(usual.coefficients)
        rows.append(_row(bench, name, "none", usual, reference))
        for fault, faulty in _faulty_images(bench, name, clean):
            readings = yield from read_job(bench, faulty, n, f"{name}, {fault}")
            rows.append(_row(bench, name, fault, readings, reference))
        for cutoff in _CUTOFFS:
            fault = f"cutoff {cutoff:g}"
            psf = bench.pupil_family.at_cutoff(cutoff).psf(bench.coefficients)
            images = noisy(bench.blurred(name, psf), _NOISE_LEVEL)
            readings = yield from read_job(
                bench, images, n, f"{name}, {fault}", optics=optics_at(cutoff)
            )
            rows.append(_row(bench, name, fault, readings, reference))
    return _table(rows)


def _faulty_images(bench: Bench, name: str, clean: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Images (n, Y, X) with one fault each: first those of the light, then the camera's."""
    uneven = uneven_illumination(clean, 0.3, _generator())
    yield "haze, half of the light", noisy(_hazy(bench, name, clean), _NOISE_LEVEL)
    yield "uneven illumination, ± 30 %", noisy(uneven, _NOISE_LEVEL)
    image = noisy(clean, _NOISE_LEVEL)
    yield "hot pixels, 0.01 %", hot_pixels(image, 1e-4, _generator())
    yield "8 bit", quantise(image, 8)
    yield "saturation, 0.5 %", saturate(image, 5e-3)


def _row(bench: Bench, name: str, fault: str, readings: Readings, reference: Tensor) -> _Loss:
    snr = bench.snr(readings.coefficients)
    loss = reference - snr
    return _Loss(
        images=name,
        fault=fault,
        psf_snr=float(snr.mean()),
        loss=float(loss.mean()),
        standard_error=float(loss.std(correction=0)) / len(loss) ** 0.5,
        in_domain=float(readings.in_domain.float().mean()),
    )


@torch.no_grad()
def _hazy(bench: Bench, name: str, clean: Tensor) -> Tensor:
    """Images (n, Y, X) with the light of two planes, one on either side of the focus."""
    haze = Haze(bench.pupil_family.noll_indices)
    low, high = _HAZE_DEPTHS_UM
    depth = low + (high - low) * torch.rand(len(clean), 2, generator=_generator())
    depth[:, 1] *= -1
    # Other images of the set lie out of focus.
    step = max(1, len(bench.images[name]) // 3)
    hazy = []
    for index, image in enumerate(clean[:, None]):
        side = clean.shape[-1] + haze.margin
        scenes = torch.cat(
            [bench.scenes(name, side, 1, first=index + step * (1 + plane)) for plane in range(2)]
        )
        gamma = bench.coefficients[index, None]
        light = haze.light(scenes[None], gamma, depth[index, None])
        hazy.append(haze.add(image, light, _HAZE_SHARE))
    return torch.cat(hazy)


def _generator() -> Generator:
    return Generator().manual_seed(_SEED)


_HEAD = ("images", "fault", "loss (dB)", "PSF-SNR (dB)", "in domain")


def _table(rows: list[_Loss]) -> Table:
    cells = [
        [
            row.images,
            row.fault,
            "" if row.fault == "none" else f"**{row.loss:+.2f}** ± {row.standard_error:.2f}",
            f"{row.psf_snr:.1f}",
            f"{row.in_domain:.0%}",
        ]
        for row in rows
    ]
    faults = [row for row in rows if row.fault != "none"]
    figures = {f"{row.images} {row.fault}: loss_db": row.loss for row in faults}
    figures |= {f"{row.images} {row.fault}: in_domain": row.in_domain for row in faults}
    return Table("robustness", "Faults of sample and camera", markdown(_HEAD, cells), figures)
