"""Time of a blur that varies over the field, by that of one convolution."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import torch
from scipy.fft import next_fast_len
from torch import Tensor, fft

from napari_deepblur.engine.events import Job, Progress
from napari_deepblur.evaluation.bench import Bench
from napari_deepblur.evaluation.tables import Table, markdown
from napari_deepblur.operators.product_convolution_family import ProductConvolutionFamily

__all__ = ["operator_cost_job"]

_SIDE = 2048
_N_RUNS = 7


@torch.no_grad()
def operator_cost_job(bench: Bench) -> Job[Table]:
    """Measure the time of A x on 2048² pixels by that of one FFT convolution of the same size.

    The convolution is a Fourier transform, a product and an inverse one, on the operator's
    grid. Medians of runs that alternate, so that whatever else the machine does meets both.
    """
    family = bench.model.family
    assert isinstance(family, ProductConvolutionFamily)
    operator = family.operator(bench.coefficients[0], (_SIDE, _SIDE))
    sharp = torch.rand(operator.domain_shape)
    pairs = []
    for index in range(_N_RUNS):
        varying = _seconds(partial(operator.forward, sharp))
        stationary = _seconds(partial(_convolve, sharp, operator.transfers[0]))
        pairs.append((varying, stationary))
        yield Progress(index + 1, _N_RUNS, "timing the operator")
    varying, stationary = torch.tensor(pairs).median(0).values.tolist()
    head = ("field", "eigen-PSFs K", "A x (s)", "one convolution (s)", "ratio")
    cells = [
        [
            f"{_SIDE} × {_SIDE}",
            str(len(family.eigen_psfs)),
            f"{varying:.2f}",
            f"{stationary:.2f}",
            f"**{varying / stationary:.1f}**",
        ]
    ]
    figures = {"product_convolution_over_convolution 2048": varying / stationary}
    return Table("operator cost", "Cost of the operator", markdown(head, cells), figures)


def _convolve(sharp: Tensor, transfer: Tensor) -> Tensor:
    grid = [next_fast_len(side, real=True) for side in sharp.shape]
    convolved: Tensor = fft.irfft2(fft.rfft2(sharp, s=grid) * transfer, s=grid)
    return convolved


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
