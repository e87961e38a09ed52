"""Compare a map of the noise with one number for it, for noise of two kinds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from napari_deepblur.engine.devices import resolve_device
from napari_deepblur.engine.events import Job, Progress, finish
from napari_deepblur.engine.noise import NoiseModel, noise_model
from napari_deepblur.engine.partition import whole
from napari_deepblur.engine.photometry import Photometry
from napari_deepblur.engine.tile_restoration import restore_plane_job
from napari_deepblur.engine.valid_pixels import ValidPlane
from napari_deepblur.evaluation.bench import Bench
from napari_deepblur.evaluation.deblurring.accuracy import quality_cell
from napari_deepblur.evaluation.deblurring.restoration import (
    NOISE_LEVELS,
    Quality,
    known_blur,
    mean_quality,
    quality,
    restored,
)
from napari_deepblur.evaluation.tables import Table, markdown
from napari_deepblur.operators.fourier_blur import FourierBlur
from napari_deepblur.optics.settings import CANONICAL_CUTOFF
from napari_deepblur.training.data.synthesis import add_noise

__all__ = ["noise_kinds_job"]

#: Share of shot noise in the variance, by the name of the kind.
_KINDS: Mapping[str, float] = {"Gaussian": 0.0, "shot": 1.0}

_SEED = 11


@dataclass(frozen=True, slots=True)
class _Compared:
    """Quality of one image, observed and deblurred with its true PSF."""

    observed: Quality
    one_number: Quality
    product: Quality


def noise_kinds_job(bench: Bench) -> Job[Table]:
    """Deblur images of either kind of noise as the program does, and with one noise level."""
    rows: dict[tuple[str, str, float], list[_Compared]] = {}
    total = len(bench.images) * len(_KINDS) * len(NOISE_LEVELS) * bench.n_few
    done = 0
    for name in bench.images:
        for gamma, operator, scene in _scenes(bench, name):
            clean = operator(scene[None])
            for kind, shot in _KINDS.items():
                for level in NOISE_LEVELS:
                    generator = Generator().manual_seed(_SEED + done)
                    image = add_noise(clean, torch.tensor([level]), generator, shot=shot)[0]
                    compared = _compare(bench, image, operator.crop(scene), gamma, operator)
                    rows.setdefault((name, kind, level), []).append(compared)
                    done += 1
                    yield Progress(done, total, f"{name}, {kind} noise")
    return _table(rows)


def _scenes(bench: Bench, name: str) -> Iterator[tuple[Tensor, FourierBlur, Tensor]]:
    """Blurs γ, their operators, and scenes taken evenly from the image set."""
    folder = bench.images[name]
    step = max(1, len(folder) // bench.n_few)
    for number, gamma in enumerate(bench.coefficients[: bench.n_few]):
        operator = bench.model.family.operator(gamma[None], (bench.size, bench.size))
        yield (
            gamma,
            operator,
            folder.centre_crop(step * number % len(folder), operator.domain_shape[0]),
        )


@torch.no_grad()
def _compare(
    bench: Bench, image: Tensor, sharp: Tensor, gamma: Tensor, operator: FourierBlur
) -> _Compared:
    plane = image.numpy()
    alike = NoiseModel(noise_model(plane, CANONICAL_CUTOFF).deviation)
    network = bench.model.network("deblurring", resolve_device(bench.device))
    observed = ValidPlane.of(plane)
    photometry = Photometry.of(observed, CANONICAL_CUTOFF, alike)
    one_level = finish(
        restore_plane_job(network, observed, photometry, [whole(plane.shape)], lambda _: operator)
    )
    product = restored(bench, image, known_blur(bench, gamma))
    results = (image, torch.from_numpy(one_level), product)
    return _Compared(*(quality(result, sharp) for result in results))


_HEAD = (
    "images", "noise", "σ", "n", "observed: PSNR (dB) / SSIM", "one noise level",
    "as the program does", "gain over one level (dB)", "lowest gain of an image",
)  # fmt: skip


def _table(rows: Mapping[tuple[str, str, float], list[_Compared]]) -> Table:
    cells: list[list[str]] = []
    figures: dict[str, float] = {}
    for (images, kind, level), part in rows.items():
        gains = [one.product.psnr - one.one_number.psnr for one in part]
        gain = sum(gains) / len(gains)
        cells.append(
            [
                images,
                kind,
                f"{level:g}",
                str(len(part)),
                quality_cell(mean_quality([one.observed for one in part])),
                quality_cell(mean_quality([one.one_number for one in part])),
                quality_cell(mean_quality([one.product for one in part]), bold=True),
                f"**{gain:+.2f}**",
                f"{min(gains):+.2f}",
            ]
        )
        figures[f"{images} {kind} noise sigma={level:g} gain_over_one_level_db"] = gain
    return Table("noise kinds", "Shot noise", markdown(_HEAD, cells), figures)
