"""Accuracy of varying blurs that are wider than pixels which are coarse for the optics.

Light-sheet cameras often have pixels near λ / 2NA. What is asked there is how well the blur is read
at several pixel sizes, with the noise of few photons too, and how well its width is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from napari_deepblur.engine.blur import BlurEstimate
from napari_deepblur.engine.estimate import estimate_blur_job
from napari_deepblur.engine.events import Job, Progress, finish
from napari_deepblur.engine.metrics import psf_snr
from napari_deepblur.engine.psf_field import psf_width
from napari_deepblur.evaluation.bench import Bench, noisy
from napari_deepblur.evaluation.tables import Table, markdown
from napari_deepblur.evaluation.varying.bench import MEAN_SEED, N_MEAN
from napari_deepblur.operators.product_convolution_family import ProductConvolutionFamily
from napari_deepblur.optics.pupil import Pupil
from napari_deepblur.optics.settings import Optics
from napari_deepblur.training.data.synthesis import shot_noise
from napari_deepblur.training.field_identification import even_places

__all__ = ["wide_blur_job"]

#: Noise at the cutoff at which the network sees images: σ, or photons in the brightest pixel.
_NOISE_LEVELS, _N_PHOTONS = (0.01, 0.05), 20.0

#: Noise at which images of other pixels are looked at.
_NOISE_LEVEL = 0.01

_NOISE_SEED = 2

#: Successive draws from the family are alike: one of so many is measured.
_BLUR_SEED, _ONE_IN = 1, 4

#: Places along each axis of the field at which PSFs, and their widths, are compared.
_N_PLACES, _N_WIDTHS = 8, 4

_HEAD = (
    "images", "f_c", "noise", "n", "PSF-SNR, estimated (dB)", "mean operator (dB)",
    "gain over it, ± its standard error (dB)", "unaberrated PSF (dB)", "error of the width, median",
    "the same of the mean operator", "within 2 std", "in domain",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Row:
    """One image's estimate: PSF-SNR in dB, means over the field; relative errors of the width."""

    estimated: float
    mean_operator: float
    unaberrated: float
    width_error: float
    mean_width_error: float
    covered: float
    in_domain: float


def wide_blur_job(bench: Bench) -> Job[Table]:
    """PSF-SNR and width over the field at several pixel sizes and noise levels, beside floors."""
    family = bench.model.family
    assert isinstance(family, ProductConvolutionFamily)
    card = bench.model.card.identification
    assert card is not None
    low, high = card.cutoff_range
    own = family.seen_at
    conditions = [(own, level) for level in (*_NOISE_LEVELS, None)]
    conditions += [(low, _NOISE_LEVEL), (high, _NOISE_LEVEL)]
    mean = family.admissible_set.sample(N_MEAN, seed=MEAN_SEED).mean(0)
    draws = family.admissible_set.sample(_ONE_IN * bench.n_images, seed=_BLUR_SEED)
    blurs = draws[::_ONE_IN]
    cells: list[list[str]] = []
    figures: dict[str, float] = {}
    for name in bench.images:
        for cutoff, level in conditions:
            noise = f"{_N_PHOTONS:g} photons" if level is None else f"σ = {level:g}"
            rows = []
            for row in _measured(bench, name, cutoff, level, blurs=blurs, mean=mean):
                rows.append(row)
                yield Progress(len(rows), bench.n_images, f"{name}, f_c {cutoff:g}, {noise}")
            _add(cells, figures, (name, f"{cutoff:g}", noise), rows)
    return Table("wide blur accuracy", "PSF over the field", markdown(_HEAD, cells), figures)


@torch.no_grad()
def _measured(
    bench: Bench, name: str, cutoff: float, level: float | None, *, blurs: Tensor, mean: Tensor
) -> Iterator[_Row]:
    """Measure the estimates of blurs (n, P) on images of one set, one after the other."""
    own = bench.model.family
    assert isinstance(own, ProductConvolutionFamily)
    family, optics = own.at_cutoff(cutoff), _optics_at(bench, cutoff)
    # A coarser pixel shows the same field in fewer of them.
    side = round(bench.size * own.seen_at / cutoff)
    for index, gamma in enumerate(blurs):
        operator = family.operator(gamma[None], (side, side))
        # Neighbours by name are of one source.
        first = index * len(bench.images[name]) // bench.n_images
        clean = operator.forward(bench.scenes(name, operator.domain_shape[0], 1, first=first))
        if level is None:
            image = shot_noise(clean, _N_PHOTONS, Generator().manual_seed(_NOISE_SEED + index))
        else:
            image = noisy(clean, level)
        job = estimate_blur_job(
            image[0].numpy(), optics=optics, model=bench.model, device=bench.device
        )
        # Coarse pixels are what is measured: no word of them.
        yield _row(finish(job, warn=lambda _: None), family, gamma, mean)


def _row(blur: BlurEstimate, family: ProductConvolutionFamily, gamma: Tensor, mean: Tensor) -> _Row:
    """Compare an estimate, and answers that know less, with the true γ (P,)."""
    found = torch.from_numpy(blur.coefficients[0])
    places = even_places(_N_PLACES)
    true = family.psf_at(gamma, places)
    unaberrated = Pupil((), cutoff=family.cutoff).psf(torch.zeros(0))
    widths = _widths(family, gamma)
    error = (found - gamma).abs().numpy()
    return _Row(
        estimated=float(psf_snr(family.psf_at(found, places), true).mean()),
        mean_operator=float(psf_snr(family.psf_at(mean, places), true).mean()),
        unaberrated=float(psf_snr(unaberrated, true).mean()),
        width_error=float(np.median(np.abs(_widths(family, found) / widths - 1))),
        mean_width_error=float(np.median(np.abs(_widths(family, mean) / widths - 1))),
        covered=float((error <= 2 * blur.std[0]).mean()),
        in_domain=float(blur.in_domain[0]),
    )


def _widths(family: ProductConvolutionFamily, gamma: Tensor) -> NDArray[np.float64]:
    """Widths of the PSFs at places over the field, pixels."""
    return np.array(
        [psf_width(psf) for psf in family.psf_at(gamma, even_places(_N_WIDTHS)).numpy()]
    )


def _optics_at(bench: Bench, cutoff: float) -> Optics:
    """Optics of the family's microscope with pixels that give a cutoff."""
    made_for = bench.model.card.made_for
    assert made_for is not None
    pixel_size_um = made_for.pixel_size_um * cutoff / made_for.cutoff
    return made_for.model_copy(update={"pixel_size_um": pixel_size_um})


def _add(
    cells: list[list[str]],
    figures: dict[str, float],
    condition: tuple[str, str, str],
    rows: Sequence[_Row],
) -> None:
    means = {
        field: float(np.mean([getattr(row, field) for row in rows])) for field in _Row.__slots__
    }
    for field in ("width_error", "mean_width_error"):
        means[field] = float(np.median([getattr(row, field) for row in rows]))
    label = "{} f_c={} {}".format(*condition)
    figures |= {
        f"{label} psf_field_snr": means["estimated"],
        f"{label} floor_mean_operator": means["mean_operator"],
        f"{label} floor_unaberrated": means["unaberrated"],
        f"{label} width_error": means["width_error"],
        f"{label} floor_mean_width_error": means["mean_width_error"],
        f"{label} coverage": means["covered"],
        f"{label} in_domain": means["in_domain"],
    }
    cells.append(
        [
            *condition,
            str(len(rows)),
            f"**{means['estimated']:.1f}**",
            f"{means['mean_operator']:.1f}",
            _gain(rows),
            f"{means['unaberrated']:.1f}",
            f"**{means['width_error']:.0%}**",
            f"{means['mean_width_error']:.0%}",
            f"{means['covered']:.0%}",
            f"{means['in_domain']:.0%}",
        ]
    )


def _gain(rows: Sequence[_Row]) -> str:
    """Mean gain over the mean operator and, of several blurs, its standard error."""
    gains = np.array([row.estimated - row.mean_operator for row in rows])
    mean = f"**{gains.mean():+.1f}**"
    return f"{mean} ± {gains.std(ddof=1) / len(gains) ** 0.5:.1f}" if len(gains) > 1 else mean
