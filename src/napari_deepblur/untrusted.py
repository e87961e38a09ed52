"""Files that others have written: read once, within limits, and checked before they are used."""

from __future__ import annotations

import hashlib
from pathlib import Path

__all__ = ["read_bounded", "sha256_of"]


def read_bounded(path: Path, *, limit: int, sha256: str | None = None) -> bytes:
    """Read a whole file, unless it is larger than any valid one.

    Parameters
    ----------
    path
        Path of the file.
    limit
        Largest size in bytes.
    sha256
        Digest that the content must have; by default any.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is larger than the limit, or its digest is another.
    """
    with path.open("rb") as file:
        # Not by its size on disk: that of a device or a pipe is 0.
        content = file.read(limit + 1)
    if len(content) > limit:
        raise ValueError(f"{path} is larger than {limit / 1e6:g} MB, which no such file is")
    if sha256 is not None and sha256_of(content) != sha256:
        raise ValueError(
            f"{path} is truncated or not the file that model.json describes: "
            "get the model folder again"
        )
    return content


def sha256_of(content: bytes) -> str:
    """SHA-256 of bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()
