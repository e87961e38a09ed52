"""Disturb `deblur` runs at random moments, and compare the end with an undisturbed run.

    python benchmarks/interruptions.py --times 100

Half of the runs are killed (SIGKILL: nothing can be saved); the others, where this program may
mount one (root, Linux), work on a disk that is full some time later. Each is started again by the
same command until it ends by itself; then another begins, until so many were disturbed. Whatever
has an output's name must be the undisturbed run's output, byte by byte.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Self

import numpy as np

from napari_deepblur.io import write_image

__all__ = ["Disk", "Survival", "bytes_of", "survive"]


@dataclass(frozen=True)
class Survival:
    """What became of the runs.

    Attributes
    ----------
    n_killed
        Runs that were killed at work.
    n_filled
        Runs whose disk was full, and which said so.
    n_resumed
        Runs that found planes of a disturbed one.
    n_ended
        Runs that ended by themselves; each gave the very bytes of the undisturbed run.
    """

    n_killed: int = 0
    n_filled: int = 0
    n_resumed: int = 0
    n_ended: int = 0


def bytes_of(path: Path) -> dict[str, bytes]:
    """Content of a file, or of each file of a folder."""
    files = [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file())
    return {str(one.relative_to(path)): one.read_bytes() for one in files}


def survive(
    command: Sequence[str],
    outputs: Sequence[Path],
    *,
    times: int,
    seed: int = 0,
    disk: Disk | None = None,
) -> Survival:
    """Disturb runs of a command until so many were disturbed, and check what they leave.

    Parameters
    ----------
    command
        Words of `deepblur`, without the options --out and --residual.
    outputs
        Deblurred image, and residual if it is wanted.
    times
        Number of runs to disturb.
    seed
        Of the moments.
    disk
        Disk of the outputs, which can be filled.
    """
    moments = random.Random(seed)
    started = time.monotonic()
    _end(_start(command, outputs))
    longest = time.monotonic() - started
    expected = [bytes_of(out) for out in outputs]
    for out in outputs:
        _remove(out)
    seen: Counter[str] = Counter()
    while seen.total() - seen["resumed"] - seen["ended"] < times or _folder(outputs[0]).exists():
        left = times - seen["killed"] - seen["filled"]
        seen["resumed"] += _n_finished(outputs[0]) > 0
        fills = disk is not None and moments.random() < 0.5
        end = "ended"
        if left > 0 and fills:
            end = _filled(command, outputs, disk, moments)
        elif left > 0:
            end = _killed(_start(command, outputs), outputs[0], moments, longest)
        else:  # the last one is left alone
            _end(_start(command, outputs))
        seen[end] += 1
        there = [out for out in outputs if out.exists()]
        assert end != "ended" or there == list(outputs)
        for out in there:
            assert bytes_of(out) == expected[outputs.index(out)], f"{out} is not what it should be"
        if there:
            for out in outputs:
                _remove(out)
                _remove(_folder(out))
    return Survival(**{f"n_{name}": number for name, number in seen.items()})


@dataclass(frozen=True)
class Disk:
    """A disk in memory, which can be filled up."""

    folder: Path
    n_bytes: int = 1 << 24

    @classmethod
    @contextmanager
    def mounted(cls, folder: Path) -> Iterator[Self | None]:
        """Mount one; None where that is not allowed."""
        words = ["mount", "-t", "tmpfs", "-o", f"size={cls.n_bytes}", "tmpfs", str(folder)]
        if not sys.platform.startswith("linux") or subprocess.run(words, check=False).returncode:
            yield None
            return
        try:
            yield cls(folder)
        finally:
            subprocess.run(["umount", str(folder)], check=True)

    @contextmanager
    def with_room_for(self, n_bytes: int) -> Iterator[None]:
        """Fill it up but for so many bytes."""
        ballast = self.folder / "ballast"
        free = shutil.disk_usage(self.folder).free
        ballast.write_bytes(bytes(max(free - n_bytes, 0)))
        try:
            yield
        finally:
            ballast.unlink()


def _filled(
    command: Sequence[str], outputs: Sequence[Path], disk: Disk, moments: random.Random
) -> str:
    """Run a command on a disk that has little room left."""
    with disk.with_room_for(moments.randrange(1 << 21)):
        run = _start(command, outputs)
        told, _ = run.communicate()
    if run.returncode == 0:
        return "ended"
    assert b"No space left" in told or b"too full" in told, told.decode()
    assert b"Traceback" not in told, told.decode()
    return "filled"


def _killed(run: subprocess.Popen[bytes], out: Path, moments: random.Random, longest: float) -> str:
    """Kill a run some time after it began to work, unless it ends before."""
    while run.poll() is None and not _folder(out).exists():
        time.sleep(0.005)
    try:
        run.wait(moments.uniform(0, 0.5 * longest))
    except subprocess.TimeoutExpired:
        run.kill()
        run.communicate()
        return "killed"
    _end(run)
    return "ended"


def _start(command: Sequence[str], outputs: Sequence[Path]) -> subprocess.Popen[bytes]:
    named = zip(("--out", "--residual"), map(str, outputs), strict=False)
    words = [sys.executable, "-m", "napari_deepblur", *command, *chain(*named)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def _end(run: subprocess.Popen[bytes]) -> None:
    told, _ = run.communicate()
    assert run.returncode == 0, told.decode()


def _folder(out: Path) -> Path:
    return out.with_name(f".unfinished-{out.name}")


def _n_finished(out: Path) -> int:
    journal = _folder(out) / "finished.jsonl"
    return len(journal.read_text().splitlines()) if journal.exists() else 0


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=100, help="runs to disturb")
    parser.add_argument("--planes", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ending", choices=[".ome.zarr", ".ome.tif"], default=".ome.zarr")
    given = parser.parse_args()
    points = np.random.default_rng(given.seed).random((given.planes, 128, 128)) > 0.98
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as place:
        image = Path(folder) / "image.ome.zarr"
        write_image(image, (100 + 2000 * points).astype(np.float32), "ZYX", pixel_size_um=0.09)
        command = ["deblur", str(image), "--na", "1.4", "--wavelength", "0.52"]
        outputs = [Path(place) / f"{name}{given.ending}" for name in ("sharp", "residual")]
        with Disk.mounted(Path(place)) as disk:
            print(survive(command, outputs, times=given.times, seed=given.seed, disk=disk))


if __name__ == "__main__":
    main()
