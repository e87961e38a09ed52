"""Files and folders written whole or not at all: aside first, then put in place by renaming."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["check_writable", "put_in_place", "replacing", "replacing_files"]


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
            _put([(aside, path)])
        else:
            aside.replace(path)
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
        _put([(file, folder / file.name) for file in sorted(aside.iterdir())])
    except BaseException:
        _remove(aside)
        # Folders of our own making only: they are empty again.
        for one in made:
            with suppress(OSError):
                one.rmdir()
        raise
    _remove(aside)


def put_in_place(new: Path, path: Path) -> None:
    """Rename a file or folder that is whole; what it replaces is removed once that is done.

    Parameters
    ----------
    new
        File or folder, on the disk of `path`.
    path
        Its place.
    """
    _put([(new, path)])


def _aside(path: Path) -> Path:
    """Sibling, so that the last step is a rename on one disk."""
    return path.with_name(f".partial-{path.name}")


def _put(moves: list[tuple[Path, Path]]) -> None:
    """Rename all, or none: what is replaced steps aside until the last one is in place."""
    done: list[tuple[Path, Path]] = []
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
    for _, old in done:
        _remove(old)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
