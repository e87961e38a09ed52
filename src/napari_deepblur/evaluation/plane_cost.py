"""Seconds and memory that deblurring a plane costs a process of its own, on the CPU.

    python -m napari_deepblur.evaluation.plane_cost MODEL SIDE N_TIMES

prints them as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np

__all__ = ["main", "peak_memory_gib"]

_KIB_PER_GIB = 1024**2
_WARM_UP_SIDE = 128


def main(model: str, side: int, n_times: int) -> dict[str, float]:
    """Print the median seconds of deblurring noise, and the process's peak memory in GiB."""
    import torch

    from napari_deepblur.engine.blur import BlurEstimate
    from napari_deepblur.engine.deblur import deblur
    from napari_deepblur.engine.models import load_model
    from napari_deepblur.evaluation.bench import optics_at

    opened = load_model(model)
    gamma = np.zeros((1, opened.family.n_coefficients), np.float32)
    blur = BlurEstimate(gamma, gamma, optics_at(), opened.reference)
    image = np.random.default_rng(0).random((side, side), np.float32)
    warm_up = image if n_times > 1 else image[:_WARM_UP_SIDE, :_WARM_UP_SIDE]
    deblur(warm_up, blur, model=opened, device="cpu")
    seconds = []
    for _ in range(n_times):
        began = time.perf_counter()
        deblur(image, blur, model=opened, device="cpu")
        seconds.append(time.perf_counter() - began)
    return {
        "seconds": median(seconds),
        "peak_gib": peak_memory_gib(),
        "threads": float(torch.get_num_threads()),
    }


def peak_memory_gib() -> float:
    """Largest resident memory of this process so far, in GiB.

    On Linux not `getrusage`: its figure includes the memory of the process that started this
    one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = (line.split() for line in status.read_text().splitlines())
        return next(int(line[1]) for line in lines if line[0] == "VmHWM:") / _KIB_PER_GIB
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (_KIB_PER_GIB * (1024 if sys.platform == "darwin" else 1))


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
