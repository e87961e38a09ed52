"""What a blur that varies over the field costs, by what one convolution does."""

from __future__ import annotations

from collections.abc import Callable

import torch
from scipy.fft import next_fast_len
from torch import fft

from napari_deepblur.engine.events import Job, Progress
from napari_deepblur.operators.product_convolution_family import ProductConvolutionFamily
from napari_deepblur.training.evaluation.bench import Bench
from napari_deepblur.training.evaluation.tables import Table, markdown

__all__ = ["operator_cost_job"]

_SIDE = 2048
_N_RUNS = 7


@torch.no_grad()
def operator_cost_job(bench: Bench) -> Job[Table]:
    """Time of A x on 2048² pixels by that of one FFT convolution of the same size.

    The convolution is a Fourier transform, a product and an inverse one, on the operator's
    grid. Medians of runs that alternate, so that whatever else the machine does meets both.
    """
    import time

    family = bench.model.family
    assert isinstance(family, ProductConvolutionFamily)
    operator = family.operator(bench.coefficients[0], (_SIDE, _SIDE))
    sharp = torch.rand(operator.domain_shape)
    grid = [next_fast_len(side, real=True) for side in operator.domain_shape]
    transfer = operator.transfers[0]

    def convolve() -> None:
        fft.irfft2(fft.rfft2(sharp, s=grid) * transfer, s=grid)

    def measure(work: Callable[[], object]) -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    pairs = []
    for index in range(_N_RUNS):
        pairs.append((measure(lambda: operator.forward(sharp)), measure(convolve)))
        yield Progress(index + 1, _N_RUNS, "timing the operator")
    varying, stationary = torch.tensor(pairs).median(0).values.tolist()
    n_eigen_psfs = len(family.eigen_psfs)
    head = ("field", "eigen-PSFs K", "A x (s)", "one convolution (s)", "ratio")
    cells = [
        [
            f"{_SIDE} × {_SIDE}",
            str(n_eigen_psfs),
            f"{varying:.2f}",
            f"{stationary:.2f}",
            f"**{varying / stationary:.1f}**",
        ]
    ]
    figures = {"product_convolution_over_convolution 2048": varying / stationary}
    return Table("operator cost", "Cost of the operator", markdown(head, cells), figures)
