"""Parts of descriptions in files that somebody else may have written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Card", "Count", "Name", "Sha256", "SourceName", "single_precision"]

Name = Annotated[str, Field(min_length=1, max_length=200)]
#: Name of an image, empty where it has none.
SourceName = Annotated[str, Field(max_length=1000)]
Count = Annotated[int, Field(ge=0, le=10**12)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Card(BaseModel):
    """Part of a description: known fields and finite numbers only."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def single_precision(rows: Sequence[Sequence[float]]) -> NDArray[np.float32]:
    """Make a table of finite numbers, float32.

    Raises
    ------
    ValueError
        If the rows are of different lengths, or a number is too large.
    """
    with np.errstate(over="ignore"):
        table = np.array(rows, np.float32)
    if not np.isfinite(table).all():
        raise ValueError("its tables hold numbers that are too large")
    return table
