"""Two workers of one thread beside one of one thread: how much sooner a batch ends.

    python benchmarks/workers.py

One z-stack in OME-Zarr, whose blocks both share. The workers are started, and have loaded what
they need, before the time begins: `deepblur batch --scheduler` on a cluster that exists.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from distributed import Client, LocalCluster

from napari_deepblur.io import write_image
from napari_deepblur.samples import SAMPLES

__all__ = ["seconds"]

_PIXEL_UM = 0.09


def seconds(n_workers: int, image: Path, warm: Path, folder: Path) -> float:
    """Time of a batch of an image by so many workers.

    Parameters
    ----------
    n_workers
        Number of workers, of one thread each.
    image
        The image.
    warm
        A small one, which is worked on before.
    folder
        For the results.
    """
    with LocalCluster(n_workers=n_workers, threads_per_worker=1, dashboard_address=None) as cluster:
        with Client(cluster) as client:
            client.run(__import__, "napari_deepblur.cli.batch.workers")
        for path in (warm, image):
            words = [sys.executable, "-m", "napari_deepblur", "batch", str(path), "--na", "1.4"]
            words += ["--wavelength", "0.52", "--scheduler", cluster.scheduler_address]
            out = folder / f"{path.stem}-{n_workers}"
            begun = time.monotonic()
            subprocess.run([*words, "--out", str(out)], check=True, stdout=subprocess.DEVNULL)
            took = time.monotonic() - begun
    return took


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--planes", type=int, default=64)
    parser.add_argument("--side", type=int, default=512)
    given = parser.parse_args()
    plane = SAMPLES["podosomes"]().image
    times = -(-given.side // min(plane.shape))
    plane = np.tile(plane, (times, times))[: given.side, : given.side].astype(np.uint16)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        image, warm = folder / "image.ome.zarr", folder / "warm.ome.zarr"
        stack = np.stack([np.roll(plane, 7 * index, 1) for index in range(given.planes)])
        write_image(image, stack, "ZYX", pixel_size_um=_PIXEL_UM)
        write_image(warm, stack[:16, :128, :128], "ZYX", pixel_size_um=_PIXEL_UM)
        one, two = (seconds(n, image, warm, folder) for n in (1, 2))
    print(f"one worker {one:.1f} s, two workers {two:.1f} s: {one / two:.2f} times as fast")


if __name__ == "__main__":
    main()
