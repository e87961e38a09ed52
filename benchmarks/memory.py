"""Measure the peak memory, and the time for each plane, of `deepblur deblur` from file to file.

    python benchmarks/memory.py [CASE ...] [--quick] [--threads 1]

Each case is a run of the program in a process of its own, from OME-Zarr (16 bits) to OME-Zarr with
a blur that is given, for its estimate is no larger:

- planes: 4 planes of 2048 × 2048 pixels and 64 of them; time for a plane of the second by that of
  the first (both without the time to start, of a run on a plane of 64 × 64)
- volume: 64 planes of 2048 × 2048 pixels in 3-D
- plane: one plane of 16384 × 16384 pixels
- estimate: the same, its blur estimated and the residual written, too

`--quick` takes 512 × 512 pixels, 2 and 8 planes, and a plane of 5120 × 5120. The memory is the
largest resident set that the system counted for the process.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import napari_deepblur as ndb
from napari_deepblur.engine.volume.stack_optics import StackOptics
from napari_deepblur.io import write_image
from napari_deepblur.samples import SAMPLES

_PROGRAM = "from napari_deepblur.cli import main; main()"
_OPTICS = ["--na", "1.4", "--wavelength", "0.52", "--pixel-size", "0.09"]
CASES = ("planes", "volume", "plane", "estimate")
Z_STEP_UM = 0.3


@dataclass(frozen=True)
class Run:
    """What one run of the program took."""

    seconds: float
    cpu_seconds: float
    gigabytes: float


class Bench:
    """Images in a folder that is removed afterwards."""

    def __init__(self, folder: Path, threads: int, *, quick: bool) -> None:
        self.folder, self.threads = folder, threads
        self.side, self.large = (512, 5120) if quick else (2048, 16384)
        self.counts = (2, 8) if quick else (4, 64)
        self.depth = 16 if quick else 64
        self.sample = SAMPLES["podosomes"]()

    def planes(self) -> None:
        """Few planes and many."""
        start = self.deblur(self.image(1, 64), self.blur())
        few, many = (self.deblur(self.image(n, self.side), self.blur()) for n in self.counts)
        for n, run in zip(self.counts, (few, many), strict=True):
            self.tell(f"{n} planes of {self.side}²", run)
        each = [
            (run.seconds - start.seconds) / n
            for n, run in zip(self.counts, (few, many), strict=True)
        ]
        print(f"seconds for a plane: {each[0]:.2f} and {each[1]:.2f}, {each[1] / each[0]:.3f} ×")
        cpu = [
            (run.cpu_seconds - start.cpu_seconds) / n
            for n, run in zip(self.counts, (few, many), strict=True)
        ]
        print(f"of the processor: {cpu[0]:.2f} and {cpu[1]:.2f}, {cpu[1] / cpu[0]:.3f} ×")

    def volume(self) -> None:
        """One volume in 3-D."""
        known = StackOptics(self.sample.optics, Z_STEP_UM)
        gamma = np.zeros((1, len(known.noll_indices)), np.float32)
        path = self.folder / "volume.json"
        ndb.VolumeBlurEstimate(gamma, gamma, known).save(path, overwrite=True)
        image = self.image(self.depth, self.side)
        run = self.deblur(image, ["--blur", path, "--per", "volume"])
        self.tell(f"volume of {self.depth} × {self.side}²", run)

    def plane(self) -> None:
        """One large plane."""
        run = self.deblur(self.image(1, self.large), self.blur())
        self.tell(f"plane of {self.large}²", run)

    def estimate(self) -> None:
        """One large plane, with all that can be asked for."""
        residual = self.folder / "residual.ome.zarr"
        options = [*_OPTICS, "--residual", residual]
        run = self.deblur(self.image(1, self.large), options)
        self.tell(f"plane of {self.large}², blur and residual", run)

    def blur(self) -> list[str | Path]:
        """Write a blur that serves all planes."""
        path = self.folder / "blur.json"
        gamma = np.full((1, 9), 0.05, np.float32)
        optics = self.sample.optics
        ndb.BlurEstimate(gamma, gamma, optics, "widefield", per="stack").save(path, overwrite=True)
        return ["--blur", path]

    def image(self, n_planes: int, side: int) -> Path:
        """Write planes of the sample side by side, each with noise of its own."""
        rng = np.random.default_rng(0)
        scene = self.sample.image
        times = -(-side // scene.shape[0])
        data = np.empty((n_planes, side, side), np.uint16)
        for plane in data:
            noise = rng.integers(0, 5, (side, side), np.uint16)
            plane[:] = np.tile(scene, (times, times))[:side, :side] + noise
        path = self.folder / "image.ome.zarr"
        write_image(path, data, "ZYX", pixel_size_um=0.09, z_step_um=Z_STEP_UM, overwrite=True)
        return path

    def deblur(self, image: Path, options: list[str | Path]) -> Run:
        """Run the program."""
        out = image.with_name("sharp.ome.zarr")
        command = [sys.executable, "-c", _PROGRAM, "deblur", image, "--device", "cpu"]
        command += [*options, "--out", out, "--overwrite"]
        environment = os.environ | {"OMP_NUM_THREADS": str(self.threads)}
        begun = time.perf_counter()
        with (self.folder / "told.txt").open("w+b") as told:
            process = subprocess.Popen(command, env=environment, stdout=told, stderr=told)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                told.seek(0)
                sys.exit(told.read().decode())
        seconds = time.perf_counter() - begun
        return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e6)

    def tell(self, name: str, run: Run) -> None:
        """Print a line."""
        print(
            f"{name}: {run.gigabytes:.2f} GB, {run.seconds:.0f} s, "
            f"{run.cpu_seconds:.0f} s of the processor, {self.threads} threads, "
            f"load {os.getloadavg()[0]:.1f}",
            flush=True,
        )


def main() -> None:
    """Measure the cases that are named, or all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--quick", action="store_true", help="small images")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), given.threads, quick=given.quick)
        for case in given.cases or CASES:
            getattr(bench, case)()


if __name__ == "__main__":
    main()
