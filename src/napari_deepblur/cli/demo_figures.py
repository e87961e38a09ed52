"""Figures of `deepblur demo`: what it found, beside the truth of its sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.cli.report import PLUS_MINUS_NOTE, twin_note
from napari_deepblur.cli.tables import estimated_text, table
from napari_deepblur.cli.volume import SIGN_NOTE
from napari_deepblur.engine.volume.blur import VolumeBlurEstimate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from napari_deepblur.engine.blur import BlurEstimate
    from napari_deepblur.samples import Sample

__all__ = ["Figures", "figures_of"]

_N_MEAN = 512
_PSF_SHAPE = (31, 65, 65)


class Figures(NamedTuple):
    """Figures of merit, for people and for machines."""

    lines: list[str]
    values: dict[str, float]


def figures_of(
    sample: Sample, blur: BlurEstimate | VolumeBlurEstimate, deblurred: NDArray[np.float32]
) -> Figures:
    """Compare a blur and a deblurred image with what is known of the sample."""
    if isinstance(blur, VolumeBlurEstimate):
        return _of_volume(sample, blur, deblurred)
    return _of_planes(sample, blur, deblurred)


def _of_planes(sample: Sample, blur: BlurEstimate, deblurred: NDArray[np.float32]) -> Figures:
    import torch

    from napari_deepblur.engine.metrics import psf_snr, psnr
    from napari_deepblur.operators import ZernikeFamily

    family = ZernikeFamily().at_cutoff(sample.optics.cutoff)
    with torch.no_grad():
        true = family.psf(torch.from_numpy(sample.coefficients))
        unaberrated = family.psf(torch.zeros(family.n_coefficients))
        mean = family.psf(family.admissible_set.sample(_N_MEAN, seed=0)).mean(0)
    found = torch.stack([torch.from_numpy(blur.psf(plane)) for plane in range(blur.n_planes)])
    half = true.shape[-1] // 2

    def fidelity(image: NDArray[Any]) -> float:
        part, truth = (
            torch.from_numpy(a.astype(np.float32))[..., half:-half, half:-half]
            for a in (image, sample.sharp)
        )
        return float(psnr(part, truth).mean())

    values = {
        "psf_snr": float(psf_snr(found, true).mean()),
        "psf_snr_unaberrated": float(psf_snr(unaberrated.expand_as(true), true).mean()),
        "psf_snr_mean_psf": float(psf_snr(mean.expand_as(true), true).mean()),
        "psnr_observed": fidelity(sample.image),
        "psnr_deblurred": fidelity(deblurred),
    }
    lines = [
        *_coefficients(sample, blur),
        PLUS_MINUS_NOTE,
        twin_note(blur),
        f"PSF-SNR {values['psf_snr']:.1f} dB estimated",
        f"PSF-SNR {values['psf_snr_unaberrated']:.1f} dB if the answer were the unaberrated PSF",
        f"PSF-SNR {values['psf_snr_mean_psf']:.1f} dB if the answer were the mean PSF",
        "PSNR {psnr_observed:.2f} dB observed, {psnr_deblurred:.2f} dB deblurred".format(**values),
    ]
    return Figures(lines, values)


def _of_volume(sample: Sample, blur: VolumeBlurEstimate, deblurred: NDArray[np.float32]) -> Figures:
    import torch

    assert sample.stack_optics is not None
    gamma = torch.from_numpy(sample.coefficients[0])
    true = sample.stack_optics.psf(gamma, _PSF_SHAPE)
    unaberrated = sample.stack_optics.psf(torch.zeros_like(gamma), _PSF_SHAPE)
    values = {
        "psf_snr": _psf_snr_3d(torch.from_numpy(blur.psf_3d(_PSF_SHAPE)), true),
        "psf_snr_unaberrated": _psf_snr_3d(unaberrated, true),
        "correlation_observed": _correlation(sample.image, sample),
        "correlation_deblurred": _correlation(deblurred, sample),
    }
    lines = [
        *_coefficients(sample, blur),
        SIGN_NOTE,
        f"3-D PSF-SNR {values['psf_snr']:.1f} dB estimated",
        f"3-D PSF-SNR {values['psf_snr_unaberrated']:.1f} dB of the unaberrated PSF",
        f"correlation with the sharp stack: {values['correlation_observed']:.3f} observed",
        f"correlation with the sharp stack: {values['correlation_deblurred']:.3f} deblurred",
        "(both smoothed by a pixel: no objective shows finer detail)",
    ]
    return Figures(lines, values)


def _psf_snr_3d(found: Tensor, true: Tensor) -> float:
    error = (found - true).square().sum() / true.square().sum()
    return float(-10 * error.log10())


def _correlation(stack: NDArray[Any], sample: Sample) -> float:
    """Correlation with the sharp stack, whose detail no objective shows."""
    from scipy.ndimage import gaussian_filter

    assert sample.z_step_um is not None
    widths = (sample.optics.pixel_size_um / sample.z_step_um, 1, 1)
    one, other = (gaussian_filter(a.astype(float), widths) for a in (stack, sample.sharp))
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def _coefficients(sample: Sample, blur: BlurEstimate | VolumeBlurEstimate) -> Sequence[str]:
    """Table of the coefficients; of several planes their means."""
    n_rows = len(blur.coefficients)
    # A sample has no modes but its own, and no extra blur.
    true = np.zeros(len(blur.coefficient_names))
    true[: sample.coefficients.shape[1]] = sample.coefficients.mean(0)
    rows = [
        [name, f"{value:+.3f}", estimated_text(found, std)]
        for name, value, found, std in zip(
            blur.coefficient_names,
            true,
            blur.coefficients.mean(0),
            blur.std.mean(0),
            strict=True,
        )
    ]
    unit = "waves" if n_rows == 1 else f"waves, mean of {n_rows} planes"
    return table([unit, "true", "estimated (95 %)"], rows)
