"""Files and folders written whole or not at all: aside first, then put in place by renaming.

What is put in place is on the disk by then, so that not even a power cut leaves half of it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = [
    "check_replaceable",
    "check_writable",
    "flush_to_disk",
    "put_in_place",
    "replacing",
    "replacing_files",
]


def check_writable(path: Path) -> None:
    """Check that a file or folder can be created at a path, without leaving one behind.

    Parameters
    ----------
    path
        File or folder to be written later; folders above it may be missing.

    Raises
    ------
    OSError
        If the disk is read-only or full, the folder is another user's, or the name is not
        allowed.
    """
    folder = path.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    trial = folder / _aside(path).name
    try:
        # A byte, for a full disk still takes empty files.
        trial.write_bytes(b"\0")
    except OSError as error:
        raise type(error)(f"{path} cannot be written ({error.strerror or error})") from error
    finally:
        with suppress(OSError):
            trial.unlink(missing_ok=True)


def check_replaceable(path: Path, *, overwrite: bool) -> None:
    """Refuse a path where something lies that is not to be replaced.

    Parameters
    ----------
    path
        File or folder to be written.
    overwrite
        Whether it may replace an existing one.

    Raises
    ------
    FileExistsError
        If it exists and may not be replaced.
    """
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists: choose another name or ask to overwrite it")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file or a folder aside, and put it in place if all went well.

    Parameters
    ----------
    path
        File or folder to create or to replace.

    Yields
    ------
        Path to write to instead, in the same folder. After an error it is removed, and what
        lay at `path` is untouched.
    """
    aside = _aside(path)
    _remove(aside)
    try:
        yield aside
        if aside.is_dir() or path.is_dir():
            put_in_place([(aside, path)])
        else:
            flush_to_disk(aside)
            aside.replace(path)
            _flush(path.parent)
    finally:
        _remove(aside)


@contextmanager
def replacing_files(folder: Path) -> Iterator[Path]:
    """Write the files of a folder aside, and put all of them in place or none.

    Parameters
    ----------
    folder
        Folder to create or to write into; its other files stay.

    Yields
    ------
        Empty folder to write the files to instead. After an error it is removed, and `folder`
        is untouched.
    """
    aside = _aside(folder)
    _remove(aside)
    made = [one for one in (folder, *folder.parents) if not one.exists()]
    aside.mkdir(parents=True)
    try:
        yield aside
        folder.mkdir(exist_ok=True)
        put_in_place([(file, folder / file.name) for file in sorted(aside.iterdir())])
    except BaseException:
        _remove(aside)
        # Folders of our own making only: they are empty again.
        for one in made:
            with suppress(OSError):
                one.rmdir()
        raise
    _remove(aside)


def put_in_place(moves: Sequence[tuple[Path, Path]]) -> None:
    """Rename files or folders that are whole, all or none, over what lies at their places.

    Parameters
    ----------
    moves
        Each with its place, on the same disk. What is replaced steps aside until the last one
        is in place.
    """
    done: list[tuple[Path, Path]] = []
    # All before the first is renamed: a kill between two renames is then a matter of microseconds.
    for new, _ in moves:
        flush_to_disk(new)
    try:
        for new, path in moves:
            old = path.with_name(f".old-{path.name}")
            _remove(old)
            if path.exists():
                path.rename(old)
            done.append((path, old))
            new.rename(path)
    except BaseException:
        for path, old in reversed(done):
            _remove(path)
            if old.exists():
                old.rename(path)
        raise
    for path, old in done:
        _flush(path.parent)
        _remove(old)


def flush_to_disk(path: Path, *, within: Path | None = None) -> None:
    """Wait until a file, or all that a folder holds, is on the disk and not only in memory.

    Parameters
    ----------
    path
        File or folder.
    within
        Folder above it, from which on the folders down to it may be new, too.
    """
    for parent, _, names in os.walk(path):
        for name in names:
            _flush(Path(parent) / name)
        _flush(Path(parent))
    if path.is_file():
        _flush(path)
    for folder in path.parents if within is not None else ():
        _flush(folder)
        if folder == within:
            break


def _flush(path: Path) -> None:
    if not path.is_dir():
        # Windows flushes only what may be written.
        with path.open("r+b") as file:
            os.fsync(file.fileno())
    elif os.name != "nt":
        # The names in it; Windows opens no folder, and some network disks flush none.
        folder = os.open(path, os.O_RDONLY)
        with suppress(OSError):
            os.fsync(folder)
        os.close(folder)


def _aside(path: Path) -> Path:
    """Sibling, so that the last step is a rename on one disk."""
    return path.with_name(f".partial-{path.name}")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
