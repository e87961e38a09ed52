"""Kill `deepblur` runs at random moments, and compare the end with that of an undisturbed run.

    python benchmarks/interruptions.py --times 100

Each run is killed (SIGKILL: nothing can be saved) and started again by the same command, until it
ends by itself; then another begins, until so many were killed. Whatever has the output's name must
be the undisturbed run's output, byte by byte.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_deepblur.io import write_image

__all__ = ["Survival", "bytes_of", "survive"]


@dataclass(frozen=True)
class Survival:
    """What became of the runs.

    Attributes
    ----------
    n_killed
        Runs that were killed at work.
    n_resumed
        Runs that found planes of a killed one.
    n_ended
        Runs that ended by themselves; each gave the very bytes of the undisturbed run.
    """

    n_killed: int
    n_resumed: int
    n_ended: int


def bytes_of(path: Path) -> dict[str, bytes]:
    """Content of a file, or of each file of a folder."""
    files = [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file())
    return {str(one.relative_to(path)): one.read_bytes() for one in files}


def survive(command: Sequence[str], out: Path, *, times: int, seed: int = 0) -> Survival:
    """Kill runs of a command until so many were killed, and check what they leave.

    Parameters
    ----------
    command
        Words of `deepblur`, without the option --out.
    out
        Output.
    times
        Number of runs to kill.
    seed
        Of the moments.
    """
    moments = random.Random(seed)
    started = time.monotonic()
    _end(_start(command, out))
    longest = time.monotonic() - started
    expected = bytes_of(out)
    _remove(out)
    n_killed = n_resumed = n_ended = 0
    while n_killed < times or _folder(out).exists():
        n_resumed += _n_finished(out) > 0
        run = _start(command, out)
        # The last one is left alone.
        if n_killed < times and _is_killed(run, out, moments, longest):
            n_killed += 1
            if out.exists():
                assert bytes_of(out) == expected, f"{out} looks complete and is not"
        else:
            _end(run)
            assert bytes_of(out) == expected, f"{out} differs from that of an undisturbed run"
            n_ended += 1
        if out.exists():
            _remove(out)
            _remove(_folder(out))
    return Survival(n_killed, n_resumed, n_ended)


def _is_killed(
    run: subprocess.Popen[bytes], out: Path, moments: random.Random, longest: float
) -> bool:
    """Kill a run some time after it began to work; false if it ended before."""
    while run.poll() is None and not _folder(out).exists():
        time.sleep(0.005)
    time.sleep(moments.uniform(0, 0.5 * longest))
    if run.poll() is not None:
        return False
    run.kill()
    run.communicate()
    return True


def _start(command: Sequence[str], out: Path) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "napari_deepblur", *command, "--out", str(out)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def _end(run: subprocess.Popen[bytes]) -> None:
    told, _ = run.communicate()
    assert run.returncode == 0, told.decode()


def _folder(out: Path) -> Path:
    return out.with_name(f".unfinished-{out.name}")


def _n_finished(out: Path) -> int:
    journal = _folder(out) / "finished.txt"
    return len(journal.read_text().splitlines()) if journal.exists() else 0


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=100, help="runs to kill")
    parser.add_argument("--planes", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ending", choices=[".ome.zarr", ".ome.tif"], default=".ome.zarr")
    given = parser.parse_args()
    points = np.random.default_rng(given.seed).random((given.planes, 128, 128)) > 0.98
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "image.ome.zarr"
        write_image(image, (100 + 2000 * points).astype(np.float32), "ZYX", pixel_size_um=0.09)
        command = ["deblur", str(image), "--na", "1.4", "--wavelength", "0.52"]
        out = Path(folder) / f"sharp{given.ending}"
        print(survive(command, out, times=given.times, seed=given.seed))


if __name__ == "__main__":
    main()
