"""Records of what became of each piece of a batch, kept beside the outputs."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from napari_deepblur.atomic import replacing

__all__ = ["Record", "read_record", "save_record", "write_summary"]

_COLUMNS = (
    "image", "series", "channel", "output", "status", "error", "axes", "shape", "seconds",
    "residual", "border_ringing", "flux_moved", "flux_change", "warnings",
)  # fmt: skip


class Record(BaseModel):
    """Record of what became of one channel of one image.

    Attributes
    ----------
    name
        Name of its output, without an ending.
    image, series, channel
        Where it comes from.
    status
        Whether it is deblurred.
    request
        What was asked for, as plain values.
    error
        Why it failed.
    output
        File that was written.
    axes, shape
        Of the image.
    seconds
        Time that it took.
    residual, border_ringing, flux_moved
        Medians over the planes of what the check found; None where there is no check.
    flux_change
        Relative change of the sum of all pixels.
    blur
        The blur in words.
    warnings
        What is doubtful.
    pictures
        PNG of a part of the image before and after, and of the PSF, in base 64.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    image: str
    series: int
    channel: int | None
    status: Literal["done", "failed"]
    request: dict[str, Any]
    error: str = ""
    output: str = ""
    axes: str = ""
    shape: tuple[int, ...] = ()
    seconds: float | None = None
    residual: float | None = None
    border_ringing: float | None = None
    flux_moved: float | None = None
    flux_change: float | None = None
    blur: str = ""
    warnings: tuple[str, ...] = ()
    pictures: dict[str, str] = {}


def read_record(folder: Path, name: str) -> Record | None:
    """Read what an earlier run recorded; None if it did not."""
    try:
        return Record.model_validate_json(_file(folder, name).read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None


def save_record(folder: Path, record: Record) -> None:
    """Keep a record in the folder of a batch."""
    path = _file(folder, record.name)
    path.parent.mkdir(exist_ok=True)
    with replacing(path) as aside:
        aside.write_text(record.model_dump_json(), encoding="utf-8")


def write_summary(path: Path, records: Sequence[Record]) -> None:
    """Write a table, a row for each record."""
    with replacing(path) as aside, aside.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(_COLUMNS)
        for record in records:
            content = record.model_dump() | {
                "shape": " x ".join(map(str, record.shape)),
                "warnings": "; ".join(record.warnings),
            }
            table.writerow([_plain(content[column]) for column in _COLUMNS])


def _plain(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else value


def _file(folder: Path, name: str) -> Path:
    return folder / "records" / f"{name}.json"
