"""Estimate and deblur again and again in one process, and watch its memory.

    python benchmarks/soak.py --jobs 200

Each job takes another image, of one of several shapes, as an afternoon in napari would. Memory is
the resident one of the process, its median over a tenth of the jobs: once the first tenth is over,
caches are full.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
from collections.abc import Iterator
from itertools import cycle, islice

import numpy as np
import psutil

import napari_deepblur as ndb
from napari_deepblur.optics.settings import Optics

__all__ = ["growth", "memories"]

_SHAPES = ((256, 256), (2, 192, 240), (320, 200), (3, 128, 160))
_OPTICS = Optics(numerical_aperture=1.4, wavelength_um=0.52, pixel_size_um=0.09)


def memories(n_jobs: int, *, model: str = "widefield") -> Iterator[int]:
    """Do so many jobs; yields the memory of the process after each, bytes.

    Parameters
    ----------
    n_jobs
        Number of jobs.
    model
        Bundled name or folder of the model.
    """
    process = psutil.Process()
    for number, shape in enumerate(islice(cycle(_SHAPES), n_jobs)):
        rng = np.random.default_rng(number)
        points = rng.random(shape) > 0.98
        image = rng.poisson(100 + 2000 * points).astype(np.uint16)
        blur = ndb.estimate_blur(image, optics=_OPTICS, model=model)
        sharp = ndb.deblur(image, blur)
        ndb.check_deblurring(image, sharp, blur)
        del image, sharp, blur
        gc.collect()
        yield process.memory_info().rss


def growth(seen: list[int]) -> float:
    """Growth from the second tenth of the jobs to the last one, as a share."""
    tenth = max(len(seen) // 10, 1)
    early = statistics.median(seen[tenth : 2 * tenth])
    return statistics.median(seen[-tenth:]) / early - 1


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=200)
    given = parser.parse_args()
    seen = []
    for memory in memories(given.jobs):
        seen.append(memory)
        if len(seen) % 20 == 0:
            print(f"{len(seen)} jobs: {memory / 1e6:.0f} MB", flush=True)
    print(f"grown by {growth(seen):+.1%}, highest {max(seen) / 1e6:.0f} MB")
    sys.exit(growth(seen) > 0.05)


if __name__ == "__main__":
    main()
