"""Accuracy of estimates at each noise level, beside answers that need no estimate."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from napari_deepblur.engine.events import Job
from napari_deepblur.engine.metrics import psf_snr
from napari_deepblur.evaluation.bench import Bench, Readings, noisy, read_job
from napari_deepblur.evaluation.tables import Table, markdown
from napari_deepblur.training.trust import coefficient_error

__all__ = ["NOISE_LEVELS", "Accuracy", "accuracy_job", "accuracy_table"]

#: σ by the maximum of the noiseless blurred image.
NOISE_LEVELS = (0.0, 0.01, 0.02, 0.05, 0.1)

_OTHER_BLURS_SEED = 6


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Figures of one image set at one noise level: PSF-SNR in dB, means unless said.

    Attributes
    ----------
    images
        Name of the image set.
    noise_level
        σ by the maximum of the noiseless blurred image.
    n
        Number of images measured.
    n_different
        Images among them; the others come again with another blur.
    psf_snr, psf_snr_median, psf_snr_5_percent, psf_snr_95_percent
        Mean and quantiles over images.
    coefficient_rmse_waves
        Of γ or of its twin, whichever is nearer.
    strehl_error
        Mean absolute error of the Strehl ratio: a PSF's peak by the unaberrated PSF's.
    coverage
        Share of true coefficients, or their twins', within twice the standard error.
    in_domain
        Share of images about which the estimate has no concern.
    floor_unaberrated, floor_mean_psf, floor_random_psf
        PSF-SNR of always answering γ = 0, of the family's mean PSF, of another PSF at random.
    """

    images: str
    noise_level: float
    n: int
    n_different: int
    psf_snr: float
    psf_snr_median: float
    psf_snr_5_percent: float
    psf_snr_95_percent: float
    coefficient_rmse_waves: float
    strehl_error: float
    coverage: float
    in_domain: float
    floor_unaberrated: float
    floor_mean_psf: float
    floor_random_psf: float


def accuracy_job(
    bench: Bench, noise_levels: tuple[float, ...] = NOISE_LEVELS
) -> Job[tuple[Accuracy, ...]]:
    """Measure a model on each image set at each noise level."""
    results = []
    for name in bench.images:
        clean = bench.blurred(name, bench.psf)
        n_different = min(len(clean), len(bench.images[name]))
        for level in noise_levels:
            stage = f"{name}, σ = {level:g}"
            readings = yield from read_job(bench, noisy(clean, level), len(clean), stage)
            figures = _figures(bench, readings)
            results.append(Accuracy(name, level, len(clean), n_different, **figures))
    return tuple(results)


def _figures(bench: Bench, readings: Readings) -> dict[str, float]:
    gamma, psf = bench.coefficients, bench.psf
    answer = readings.coefficients
    snr = bench.snr(answer)
    error = coefficient_error(bench.pupil_family, answer, gamma)
    strehl_error = _strehl(bench, answer) - _strehl(bench, gamma)
    values = {
        "psf_snr": snr.mean(),
        "psf_snr_median": snr.quantile(0.5),
        "psf_snr_5_percent": snr.quantile(0.05),
        "psf_snr_95_percent": snr.quantile(0.95),
        "coefficient_rmse_waves": bench.pupil_family.wavefront(error).square().mean().sqrt(),
        "strehl_error": strehl_error.abs().mean(),
        "coverage": (error.abs() <= 2 * readings.std).float().mean(),
        "in_domain": readings.in_domain.float().mean(),
        "floor_unaberrated": bench.snr(torch.zeros_like(gamma)).mean(),
        "floor_mean_psf": psf_snr(bench.space.mean.expand_as(psf), psf).mean(),
        "floor_random_psf": psf_snr(_other_psfs(bench), psf).mean(),
    }
    return {name: float(value) for name, value in values.items()}


def _other_psfs(bench: Bench) -> Tensor:
    others = bench.pupil_family.admissible_set.sample(bench.n_images, seed=_OTHER_BLURS_SEED)
    return bench.psf_of(others)


def _strehl(bench: Bench, coefficients: Tensor) -> Tensor:
    unaberrated = bench.psf_of(torch.zeros_like(coefficients[:1]))
    return bench.psf_of(coefficients).amax((-2, -1)) / unaberrated.max()


_HEAD = (
    "images", "σ", "PSF-SNR mean / median / 5 % (dB)", "RMSE (waves)", "Strehl error",
    "coverage", "in domain", "unaberrated PSF (dB)", "mean PSF (dB)", "another PSF (dB)",
)  # fmt: skip


def accuracy_table(results: tuple[Accuracy, ...]) -> Table:
    """Tabulate the figures with their floors."""
    rows = [
        [
            r.images,
            f"{r.noise_level:g}",
            f"**{r.psf_snr:.1f}** / {r.psf_snr_median:.1f} / {r.psf_snr_5_percent:.1f}",
            f"{r.coefficient_rmse_waves:.3f}",
            f"{r.strehl_error:.3f}",
            f"{r.coverage:.1%}",
            f"{r.in_domain:.0%}",
            f"{r.floor_unaberrated:.1f}",
            f"{r.floor_mean_psf:.1f}",
            f"{r.floor_random_psf:.1f}",
        ]
        for r in results
    ]
    figures = {
        f"{r.images} sigma={r.noise_level:g} {name}": value
        for r in results
        for name, value in asdict(r).items()
        if name not in ("images", "noise_level")
    }
    different = {r.images: f"{r.n_different} {r.images} images" for r in results}
    note = f"{results[0].n} blurs in each row, on {' or '.join(different.values())}."
    return Table("identification", "Noise", f"{markdown(_HEAD, rows)}\n\n{note}", figures)
