"""Damage files at random and read them: refused in a line, or read right, and never more than that.

    python benchmarks/fuzz.py --cases 2000

Images (TIFF, OME-TIFF, ImageJ's TIFF, OME-Zarr 0.4 and 0.5, a plate), blur files, models and
settings are cut short, overwritten or filled with hostile values. Each is read in a process of its
own, which may use one GB and 30 seconds of the processor. It may be refused (an error for the user,
of one line), or give what the whole file gives, or warn. All else is counted as harm: another
exception, a crash, a hang, memory without end, numbers that no image has, and pixels that are
missing or not those of the file though nothing was said. Linux only, for it needs fork.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import re
import resource
import shutil
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from fuzz_files import KINDS

__all__ = ["Case", "fuzz"]

_SECONDS, _BYTES = 30, 1 << 30

_NUMBERS = (
    "-1", "0", "1e308", "-1e308", "1e-300", "NaN", "Infinity", "99999999999", "4294967295",
    "9" * 400, "null", '"x"', "[]", "{}", "true",
)  # fmt: skip
_STRINGS = (
    '""',
    '"\\u0000"',
    '"../../../etc/passwd"',
    '"' + "x" * 100_000 + '"',
    "7",
    "null",
    "[]",
)


@dataclass(frozen=True)
class Case:
    """One damaged file, and what became of it.

    Attributes
    ----------
    number
        By which it can be made again.
    kind, damage
        Kind of the file, and what was done to it.
    outcome
        ``read``, ``refused`` or ``harm``.
    text
        What was said.
    """

    number: int
    kind: str
    damage: str
    outcome: str
    text: str


def _cut(file: Path, rng: random.Random) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: rng.randrange(len(content))])


def _remove(file: Path, rng: random.Random) -> None:  # noqa: ARG001
    file.unlink()


def _flip(file: Path, rng: random.Random) -> None:
    content = bytearray(file.read_bytes())
    for _ in range(rng.choice((1, 3, 30))):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    file.write_bytes(content)


def _flip_start(file: Path, rng: random.Random) -> None:
    content = bytearray(file.read_bytes())
    for _ in range(rng.choice((1, 2, 5))):
        content[rng.randrange(min(len(content), 400))] = rng.choice((0, 1, 0x7F, 0xFF))
    file.write_bytes(content)


def _overwrite(file: Path, rng: random.Random) -> None:
    content = bytearray(file.read_bytes())
    at, n = rng.randrange(len(content)), rng.choice((4, 8, 100, 2000))
    new = rng.choice((b"\0", b"\xff", b"\x7f", rng.randbytes(1))) * n
    content[at : at + n] = new[: len(content) - at]
    file.write_bytes(content)


def _shift(file: Path, rng: random.Random) -> None:
    content = file.read_bytes()
    at = rng.randrange(len(content))
    inserted = rng.choice((b"", rng.randbytes(7), content[:50] * 3))
    file.write_bytes(content[:at] + inserted + content[at + rng.choice((0, 1, 9)) :])


def _hostile_number(file: Path, rng: random.Random) -> None:
    _replace(file, rb"-?\d+(?:\.\d+)?", _NUMBERS, rng)


def _hostile_string(file: Path, rng: random.Random) -> None:
    _replace(file, rb'"[^"\n]{1,60}"', _STRINGS, rng)


def _replace(file: Path, pattern: bytes, values: tuple[str, ...], rng: random.Random) -> None:
    """Replace a number or a string; in binary files by one of the same length."""
    content = file.read_bytes()
    is_text = file.suffix in {".json", ".yaml"} or file.name.startswith(".z")
    # Of a TIFF file its text: pixels hold digits by chance only.
    start = 0 if is_text else max(content.find(b"<?xml"), content.find(b"ImageJ="), 0)
    found = list(re.finditer(pattern, content[start : start + 100_000]))
    if not found:
        _flip(file, rng)
        return
    for match in rng.sample(found, min(len(found), rng.choice((1, 1, 3)))):
        a, b = start + match.start(), start + match.end()
        value = rng.choice(values).encode()
        if not is_text:
            value = (rng.choice((b"9", b"0", b"-")) + b"9" * 400)[: b - a]
            content = content[:a] + value + content[b:]
        elif match is found[-1] or len(found) > 1:
            content = content[:a] + value + content[b:]
            break
    file.write_bytes(content)


def _nest(file: Path, rng: random.Random) -> None:
    opening, closing = rng.choice((("[", "]"), ('{"a":', "}"), ("{a: ", "}")))
    depth = rng.choice((200, 20_000))
    text = file.read_text(errors="replace")
    at = rng.choice((0, max(text.find(":") + 1, 0)))
    file.write_text(text[:at] + opening * depth + (closing * depth if rng.random() < 0.5 else ""))


def _bomb(file: Path, rng: random.Random) -> None:
    """A chunk that claims, or gives, far more bytes than it should."""
    from numcodecs import Blosc, Zstd

    size = rng.choice((1 << 20, 1 << 28))
    codec = rng.choice((Zstd(), Blosc("zstd")))
    file.write_bytes(codec.encode(bytes(size)))


_OF_BYTES = (_cut, _flip, _flip_start, _overwrite, _shift)
_OF_TEXT = (_hostile_number, _hostile_number, _hostile_string, _nest)
_OF_CHUNKS = (_remove, _bomb)
#: Damage by which bytes are lost: what is read then is as before, or something is said.
_LOSSES = {"cut", "remove", "bomb", "shift"}


def _damaged(path: Path, rng: random.Random) -> str:
    """Damage a file, or one of a folder; say how."""
    files = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
    texts = [one for one in files if one.suffix in {".json", ".yaml"} or one.name.startswith(".z")]
    chunks = [one for one in files if path.suffix == ".zarr" and one not in texts]
    file = rng.choice(texts if texts and rng.random() < 0.6 else files)
    ways = list(_OF_BYTES)
    if file in texts:
        ways += 2 * _OF_TEXT
    elif file.suffix == ".tif":
        ways += _OF_TEXT[:3]
    if file in chunks:
        ways += _OF_CHUNKS
    way = rng.choice(ways)
    if file.stat().st_size == 0:
        way = _remove
    way(file, rng)
    return f"{way.__name__[1:]} {file.relative_to(path) if path.is_dir() else ''}".strip()


def fuzz(n_cases: int, *, first: int = 0, folder: Path) -> Iterator[Case]:
    """Make so many damaged files and read each in a process of its own.

    Parameters
    ----------
    n_cases
        Number of cases.
    first
        Number of the first.
    folder
        Empty folder for them.
    """
    _import_all()
    kinds = list(KINDS)
    whole: dict[str, tuple[Path, Any]] = {}
    for number in range(first, first + n_cases):
        rng = random.Random(number)
        kind = kinds[number % len(kinds)]
        if kind not in whole:
            whole[kind] = _whole(kind, folder)
        path, expected = whole[kind]
        copied = _copied(path, folder / "case")
        damage = _damaged(copied, rng)
        yield Case(number, kind, damage, *_judged(kind, damage, copied, expected))


def _import_all() -> None:
    """Import here what each process would have to."""
    for name in (
        "engine.batch_settings", "engine.models", "engine.restore", "io", "networks.identification"
    ):  # fmt: skip
        import_module(f"napari_deepblur.{name}")
    for name in ("numcodecs", "tifffile", "torch", "yaml", "zarr"):
        import_module(name)


def _whole(kind: str, folder: Path) -> tuple[Path, Any]:
    """Make a whole file of a kind; returns it and what is read of it."""
    make, read = KINDS[kind]
    home = folder / re.sub(r"\W+", "-", kind)
    home.mkdir()
    outcome, path = _apart(lambda: str(make(home)))
    assert outcome == "read", path
    outcome, content = _apart(lambda: read(Path(path[0])))
    assert outcome == "read", content
    return Path(path[0]), content[0]


def _copied(path: Path, place: Path) -> Path:
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    copy = shutil.copytree if path.is_dir() else shutil.copyfile
    return Path(copy(path, place / path.name))


def _judged(kind: str, damage: str, path: Path, expected: Any) -> tuple[str, str]:
    """Read a damaged file; returns how that ended, and what was said."""
    outcome, said = _apart(lambda: KINDS[kind][1](path))
    if outcome == "read":
        content, told = said
        lost = damage.partition(" ")[0] in _LOSSES and kind != "settings" and content != expected
        if lost and not told:
            outcome, told = "harm", [f"read otherwise, and nothing is said: {content}"]
        said = "; ".join(told)
    return outcome, str(said)[:2000]


def _apart(work: Callable[[], Any]) -> tuple[str, Any]:
    """Do something in a process of its own, within limits; returns how it ended and its result."""
    forked = multiprocessing.get_context("fork")
    ours, theirs = forked.Pipe(duplex=False)
    process = forked.Process(target=_limited, args=(work, theirs))
    process.start()
    theirs.close()
    try:
        # More than that of the processor, which other programs may hold.
        if not ours.poll(20 * _SECONDS):
            return "harm", "it hangs"
        return ours.recv()
    except EOFError:
        process.join()
        return "harm", f"the process ended with {process.exitcode}"
    finally:
        process.kill()
        process.join()


def _limited(work: Callable[[], Any], answer: Any) -> None:
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + _BYTES, used + _BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always", UserWarning)
            content = work()
        # As JSON, for it is compared with what another process gave.
        answer.send(("read", (json.loads(json.dumps(content)), [str(one.message) for one in told])))
    except (ValueError, OSError) as error:
        from napari_deepblur.errors import describe

        is_line = type(error).__module__ != "builtins" or "\n" not in describe(error)
        answer.send(("refused" if is_line else "harm", describe(error)))
    except BaseException:  # noqa: BLE001
        answer.send(("harm", traceback.format_exc()[-2000:]))


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    given = parser.parse_args()
    seen: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for case in fuzz(given.cases, first=given.first, folder=Path(folder)):
            seen[case.outcome] += 1
            if case.outcome == "harm":
                print(f"{case.number} {case.kind}, {case.damage}:\n{case.text}\n", flush=True)
    print(f"{given.cases} cases: {dict(seen)}")
    sys.exit(seen["harm"] > 0)


if __name__ == "__main__":
    main()
