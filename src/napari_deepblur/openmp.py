"""Waiting threads of OpenMP, which torch computes with."""

from __future__ import annotations

import os
import sys

__all__ = ["let_waiting_threads_sleep"]

#: Variables by which a user decides it; those of GNU, LLVM and Intel.
_DECIDED_BY = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")


def let_waiting_threads_sleep() -> None:
    """Make OpenMP's threads sleep while they wait for one another, instead of spinning.

    Beside a busy neighbour, spinning threads take the cores that they wait for, and everything
    is many times slower. OpenMP reads the variable when torch is loaded: once torch is there,
    or where the user has decided otherwise, nothing is changed.
    """
    if "torch" not in sys.modules and not any(name in os.environ for name in _DECIDED_BY):
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
