"""Classical deblurring without a network, each method with several strengths.

Sources: Richardson, J. Opt. Soc. Am. 62 (1972); Lucy, Astron. J. 79 (1974); Orieux,
Giovannelli & Rodet, J. Opt. Soc. Am. A 27 (2010), whose Wiener filter scikit-image has;
Chambolle, J. Math. Imaging Vis. 20 (2004), for total variation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from napari_deepblur.networks.unrolled import UnrolledFista
from napari_deepblur.operators import Convolution

__all__ = ["classical_candidates", "richardson_lucy", "total_variation_fista"]

_RICHARDSON_LUCY_ITERATIONS = (5, 10, 30, 100)
_WIENER_BALANCES = (1e-4, 1e-3, 1e-2, 3e-2, 0.1, 0.3)
#: Of total variation, by the image's range.
_DENOISING_WEIGHTS = (0.01, 0.03, 0.1)

#: Of total variation in each step of FISTA, by the image's range.
_FISTA_WEIGHTS = (0.001, 0.002, 0.005, 0.015)
_N_FISTA_ITERATIONS = 50
_N_INNER_ITERATIONS = 20

_SMALLEST = 1e-6


def richardson_lucy(
    image: Tensor, psf: Tensor, n_iterations: Sequence[int] = _RICHARDSON_LUCY_ITERATIONS
) -> dict[int, Tensor]:
    """Maximum likelihood of Poisson counts after several numbers of iterations, in one run.

    Light from outside the field is part of what is looked for, so borders stay quiet.

    Parameters
    ----------
    image
        Observed, shape (..., Y, X); what lies below zero is taken for zero.
    psf
        Shape (..., h, w), odd.
    n_iterations
        After which the estimate is wanted.

    Returns
    -------
        Estimates over the field, shape (..., Y, X), by number of iterations.
    """
    operator = Convolution(psf, (image.shape[-2], image.shape[-1]))
    counts = image.clamp_min(0)
    sensitivity = operator.adjoint(torch.ones_like(counts)).clamp_min(1e-3)
    estimate = torch.ones_like(sensitivity) * counts.mean((-2, -1), keepdim=True)
    kept = {}
    for iteration in range(1, max(n_iterations) + 1):
        ratio = counts / operator.forward(estimate).clamp_min(_SMALLEST)
        estimate = estimate * operator.adjoint(ratio).clamp_min(0) / sensitivity
        if iteration in n_iterations:
            kept[iteration] = operator.crop(estimate)
    return kept


def classical_candidates(image: Tensor, psf: Tensor) -> dict[str, Tensor]:
    """Deblur an image (Y, X) with a PSF (h, w) by each method and strength: results by name.

    Richardson-Lucy and Wiener, each as it is and with total-variation denoising after it, on
    a border continued by reflection.
    """
    from skimage.restoration import denoise_tv_chambolle

    window = psf.shape[-1]
    padded = functional.pad(image[None, None], (window,) * 4, mode="reflect")[0, 0]
    span = float(image.max() - image.min()) or 1.0
    inner = (slice(window, -window), slice(window, -window))
    results = {name: wide[inner] for name, wide in _linear_and_iterative(padded, psf)}
    for name, plain in list(results.items()):
        scaled = plain.double().numpy() / span
        for weight in _DENOISING_WEIGHTS:
            smooth = denoise_tv_chambolle(scaled, weight=weight) * span
            results[f"{name}, TV {weight:g}"] = torch.from_numpy(smooth).float()
    return results


def _linear_and_iterative(padded: Tensor, psf: Tensor) -> list[tuple[str, Tensor]]:
    from skimage.restoration import wiener

    counts, kernel = padded.double().numpy(), psf.double().numpy()
    results = [
        (f"Richardson–Lucy {n}", estimate) for n, estimate in richardson_lucy(padded, psf).items()
    ]
    for balance in _WIENER_BALANCES:
        filtered: NDArray[np.float64] = wiener(counts, kernel, balance, clip=False)
        results.append((f"Wiener {balance:g}", torch.from_numpy(filtered).float()))
    return results


class _TotalVariation(nn.Module):
    """Proximal operator of total variation over non-negative images."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self._weight = weight

    def forward(self, image: Tensor, _noise_level: Tensor) -> Tensor:
        """Denoise images of shape (N, Y, X)."""
        from skimage.restoration import denoise_tv_chambolle

        planes = [
            denoise_tv_chambolle(
                plane.double().numpy(), weight=self._weight, max_num_iter=_N_INNER_ITERATIONS
            )
            for plane in image
        ]
        return torch.from_numpy(np.stack(planes)).to(image.dtype).clamp_min(0)


@torch.no_grad()
def total_variation_fista(
    image: Tensor,
    psf: Tensor,
    weights: Sequence[float] = _FISTA_WEIGHTS,
    *,
    n_iterations: int = _N_FISTA_ITERATIONS,
) -> Mapping[str, Tensor]:
    """Least squares with total variation, for several weights: a variational restoration.

    Slow: each iteration denoises once. It is our own FISTA with another proximal operator,
    and like it knows that light comes in from outside the field.

    Parameters
    ----------
    image
        Observed, shape (Y, X).
    psf
        Shape (h, w), odd.
    weights
        Of total variation in each step, by the image's range.
    n_iterations
        Number of FISTA iterations.

    Returns
    -------
        Estimates over the field, shape (Y, X), by name.
    """
    operator = Convolution(psf[None], (image.shape[-2], image.shape[-1]))
    dark, span = image.min(), (image.max() - image.min()).clamp_min(_SMALLEST)
    results = {}
    for weight in weights:
        fista = UnrolledFista([_TotalVariation(weight)] * n_iterations)
        estimate = fista((image[None] - dark) / span, operator, torch.zeros(1))
        results[f"FISTA, TV {weight:g}"] = operator.crop(estimate)[0] * span + dark
    return results
