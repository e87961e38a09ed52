"""Time `deepblur deblur` alone and beside busy processes, by how OpenMP's threads wait.

Three ways: as the program sets it, OMP_WAIT_POLICY=PASSIVE set by hand, and unset, as where
another program has loaded torch before. Rounds alternate between them; the fastest counts.

    python benchmarks/busy_neighbour.py [--neighbours 4] [--rounds 3] [--torch]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_deepblur.io import ImageMetadata, write_image
from napari_deepblur.samples import SAMPLES

_COUNTING = "while True: pass"
_MULTIPLYING = "import torch\na = torch.rand(900, 900)\nwhile True: a = (a @ a).softmax(-1)"
_PROGRAM = "from napari_deepblur.cli import main; main()"
_WAYS = {
    "as shipped": (_PROGRAM, {}),
    "by hand": (_PROGRAM, {"OMP_WAIT_POLICY": "PASSIVE"}),
    "unset": (f"import torch; {_PROGRAM}", {}),
}
_DECIDED_BY = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "OMP_NUM_THREADS"}


@contextmanager
def neighbours(code: str, n: int) -> Iterator[None]:
    """Processes that keep the cores busy meanwhile."""
    started = [subprocess.Popen([sys.executable, "-c", code], env=environment()) for _ in range(n)]
    try:
        time.sleep(5 if "torch" in code else 1)
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _DECIDED_BY}


def seconds(way: str, image: Path, optics: list[str]) -> float:
    """Wall time of the whole command."""
    program, variables = _WAYS[way]
    out = image.with_name("sharp.ome.tif")
    command = [sys.executable, "-c", program, "deblur", str(image), *optics]
    began = time.perf_counter()
    subprocess.run(
        [*command, "--device", "cpu", "--out", str(out), "--overwrite"],
        env=environment() | variables,
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - began


def fastest(image: Path, optics: list[str], n_rounds: int) -> dict[str, float]:
    times: dict[str, list[float]] = {way: [] for way in _WAYS}
    for _ in range(n_rounds):
        for way, found in times.items():
            found.append(seconds(way, image, optics))
    return {way: min(found) for way, found in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--neighbours", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--torch", action="store_true", help="neighbours compute with torch")
    given = parser.parse_args()
    code = _MULTIPLYING if given.torch else _COUNTING
    sample = SAMPLES["podosomes"]()
    optics = ["--na", str(sample.optics.numerical_aperture)]
    optics += ["--wavelength", str(sample.optics.wavelength_um)]
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "image.ome.tif"
        size = sample.optics.pixel_size_um
        metadata = ImageMetadata(pixel_sides_um=(size, size))
        write_image(image, sample.image, "YX", metadata=metadata)
        for n in dict.fromkeys((0, given.neighbours)):
            with neighbours(code, n):
                times = fastest(image, optics, given.rounds)
            where = f"beside {n} busy processes" if n else "alone"
            print(f"{where}, seconds of {os.cpu_count()} cores:")
            for way, found in times.items():
                print(f"  {way:<12}{found:7.2f}   {found / times['by hand']:5.2f} × by hand")
            print(f"  as shipped / unset {times['as shipped'] / times['unset']:.2f}", flush=True)


if __name__ == "__main__":
    main()
