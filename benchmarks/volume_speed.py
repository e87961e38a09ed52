"""Measure seconds and memory of the 3-D estimate and of 3-D deblurring, beside scikit-image.

    python benchmarks/volume_speed.py [--threads 2] [--largest]

Each figure is of a process of its own, with the load of the machine at its start. Beside our
deblurring of 32 × 512 × 512 stand 30 iterations of scikit-image's n-D Richardson-Lucy with a PSF
of 31 × 65 × 65 on the same stack. `--largest` adds 40 × 1024 × 1024.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from skimage.restoration import richardson_lucy
from volume import OPTICS, Z_STEP_UM, points

import napari_deepblur as ndb
from napari_deepblur.engine.volume.stack_optics import StackOptics

SHAPES = ((40, 201, 101), (32, 512, 512))
LARGEST = (40, 1024, 1024)
PSF_SHAPE = (31, 65, 65)
N_CLASSICAL = 30

KNOWN = StackOptics(OPTICS, Z_STEP_UM)
#: Some coma and spherical aberration.
GAMMA = np.array([[0, 0, 0.1, 0, 0, 0, 0.08, 0, 0, 0, 0, 0]], np.float32)


def main() -> None:
    """Measure each in a process of its own, and print a line for each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--largest", action="store_true", help="the memory that a large stack takes"
    )
    parser.add_argument("--one", nargs=2, metavar=("WHAT", "FILE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.one:
        what, file = given.one
        print(json.dumps(measured(what, np.load(file))))
        return
    print("stack           work          seconds   CPU seconds   GB   load")
    with tempfile.TemporaryDirectory() as folder:
        for shape in (*SHAPES, *([LARGEST] if given.largest else [])):
            file = Path(folder) / "stack.npy"
            np.save(file, observed(shape))
            works = ["deblur"] + ["classical"] * (shape == SHAPES[1])
            works += ["estimate"] * (shape != LARGEST)
            seconds = {work: one(work, file, shape, given.threads) for work in works}
            if "classical" in works:
                print(f"deblur / classical: {seconds['deblur'] / seconds['classical']:.2f}")


def one(work: str, file: Path, shape: tuple[int, ...], threads: int) -> float:
    """Measure one work on one stack in a new process; returns its seconds."""
    load = os.getloadavg()[0]
    command = [sys.executable, __file__, "--threads", str(threads), "--one", work, str(file)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    told = json.loads(done.stdout.splitlines()[-1])
    name = " × ".join(map(str, shape))
    print(
        f"{name:15} {work:10} {told['seconds']:10.1f} {told['cpu']:13.1f} {told['gb']:6.2f} "
        f"{load:6.1f}",
        flush=True,
    )
    return float(told["seconds"])


def observed(shape: tuple[int, ...]) -> np.ndarray:
    """Counts of blurred points and clouds, 200 photons at the peak."""
    rng = np.random.default_rng(0)
    sharp = points(shape, rng)
    sharp += 20 * gaussian_filter(sharp, (1.5, 4, 4))
    with torch.no_grad():
        transfer = KNOWN.pupil(shape).transfer(torch.from_numpy(GAMMA[0]))
        seen = torch.fft.irfftn(torch.fft.rfftn(torch.from_numpy(sharp)) * transfer, s=shape)
    seen = seen.clamp_min_(0).numpy()
    return rng.poisson(seen * (200 / seen.max()) + 4).astype(np.uint16)


def measured(work: str, stack: np.ndarray) -> dict[str, float]:
    """Seconds, CPU seconds and the process's largest memory."""
    if work == "classical":
        image = stack.astype(np.float32) / stack.max()
        psf = KNOWN.psf(torch.from_numpy(GAMMA[0]), PSF_SHAPE).numpy()
    begun, cpu = time.perf_counter(), time.process_time()
    if work == "estimate":
        ndb.estimate_blur(stack, optics=OPTICS, per="volume", z_step_um=Z_STEP_UM)
    elif work == "deblur":
        ndb.deblur(stack, ndb.VolumeBlurEstimate(GAMMA, np.zeros_like(GAMMA), KNOWN))
    else:
        richardson_lucy(image, psf, N_CLASSICAL, clip=False)
    return {
        "seconds": time.perf_counter() - begun,
        "cpu": time.process_time() - cpu,
        "gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }


if __name__ == "__main__":
    main()
