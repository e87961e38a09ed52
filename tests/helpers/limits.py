"""Limits of time and memory within which something must be refused."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def limited(*, seconds: float = 1.0, megabytes: int = 300) -> Iterator[None]:
    """Fail if what is inside computes longer; where Linux can, let larger allocations fail."""
    begin = time.process_time()
    with _memory(megabytes) if sys.platform == "linux" else _nothing():
        yield
    took = time.process_time() - begin
    assert took < seconds, f"took {took:.1f} s of computing"


@contextmanager
def _memory(megabytes: int) -> Iterator[None]:
    import resource

    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + megabytes * 2**20, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@contextmanager
def _nothing() -> Iterator[None]:
    yield
