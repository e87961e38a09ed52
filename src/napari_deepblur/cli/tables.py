"""Tables of the commands, as plain text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["coefficient_rows", "coefficient_summary", "estimated_text", "table"]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table: the first column flush left, the others flush right."""
    columns = list(zip(head, *rows, strict=True))
    widths = [max(len(cell) for cell in column) for column in columns]
    return [
        "  ".join(
            cell.ljust(width) if position == 0 else cell.rjust(width)
            for position, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (head, *rows)
    ]


def estimated_text(coefficient: float, std: float) -> str:
    """Format a coefficient with the half width of its 95 % interval."""
    return f"{coefficient:+.3f} ± {2 * std:.3f}"


def coefficient_rows(
    names: Sequence[str], coefficients: NDArray[np.float32], std: NDArray[np.float32]
) -> list[list[str]]:
    """Rows of a table, one for each coefficient, a cell for each blur; tables of shape (N, P)."""
    return [
        [name, *(estimated_text(a, b) for a, b in zip(values, errors, strict=True))]
        for name, values, errors in zip(names, coefficients.T, std.T, strict=True)
    ]


def coefficient_summary(
    what: str, names: Sequence[str], coefficients: NDArray[np.float32], std: NDArray[np.float32]
) -> tuple[list[str], list[list[str]]]:
    """Head and rows of a summary of many blurs, such as ``40 planes``."""
    head = [f"{what}, waves", "mean", "min", "max", "± (95 %)"]
    rows = [
        [name, f"{a.mean():+.3f}", f"{a.min():+.3f}", f"{a.max():+.3f}", f"{2 * b.mean():.3f}"]
        for name, a, b in zip(names, coefficients.T, std.T, strict=True)
    ]
    return head, rows
