"""Time of estimating the blur of one plane."""

from __future__ import annotations

import time
from statistics import median

import torch

from napari_deepblur.engine.devices import resolve_device
from napari_deepblur.engine.events import Job
from napari_deepblur.evaluation.bench import Bench, noisy, read_job
from napari_deepblur.evaluation.tables import Table, markdown

__all__ = ["speed_job"]

_SIDE = 512
_N_TIMES = 5


def speed_job(bench: Bench) -> Job[Table]:
    """Median time of `estimate_blur` on one plane, in seconds, the model being open."""
    name = next(iter(bench.images))
    image = noisy(bench.blurred(name, bench.psf[:1], side=_SIDE), 0.01)
    yield from read_job(bench, image, 1, "warming up")
    seconds = []
    for turn in range(_N_TIMES):
        began = time.perf_counter()
        yield from read_job(bench, image, 1, f"speed, {turn + 1} of {_N_TIMES}")
        seconds.append(time.perf_counter() - began)
    head = ("plane", "device", "threads of torch", "median of five (s)")
    device, threads = resolve_device(bench.device).type, torch.get_num_threads()
    row = [f"{_SIDE} × {_SIDE}", device, str(threads), f"**{median(seconds):.2f}**"]
    figures = {f"{_SIDE} plane: seconds": median(seconds), "speed: threads": float(threads)}
    return Table("speed", "Speed", markdown(head, [row]), figures)
