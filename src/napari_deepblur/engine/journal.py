"""The list of finished blocks of an image file, a line for each."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from napari_deepblur.engine.concerns import Concern
from napari_deepblur.engine.diagnostics import CheckedPlane, unknown_plane

__all__ = ["FinishedBlock", "Journal"]


class FinishedBlock(BaseModel):
    """Block of planes that are on the disk, and what was found of them.

    Attributes
    ----------
    start, stop
        Number of the first plane, and of the first one behind them.
    check
        Numbers and concerns of each plane, as `checked` reads them; None if the check failed.
    has_residual
        Whether their residual is on the disk, too.
    flux_before, flux_after
        Sum of the pixels that hold a number, observed and deblurred.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="constants")

    start: int
    stop: int
    check: list[tuple[dict[str, float], tuple[str, ...]]] | None
    has_residual: bool
    flux_before: float
    flux_after: float

    def checked(self) -> list[CheckedPlane]:
        """Return numbers and concerns of each plane."""
        if self.check is None:
            return [unknown_plane()] * (self.stop - self.start)
        return [(found, tuple(map(Concern.read, reasons))) for found, reasons in self.check]


class Journal:
    """File that a line is added to for each finished block; a line that is there holds true."""

    def __init__(self, path: Path) -> None:
        """Read what an earlier run wrote, or begin."""
        self._path = path
        self._blocks: dict[int, FinishedBlock] = {}
        if path.exists():
            self._read()

    @property
    def finished(self) -> list[FinishedBlock]:
        """Blocks in the order of their planes."""
        return [self._blocks[start] for start in sorted(self._blocks)]

    def add(self, block: FinishedBlock) -> None:
        """Add a block, whose planes are on the disk."""
        line = block.model_dump_json().encode() + b"\n"
        with self._path.open("ab") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        self._blocks[block.start] = block

    def clear(self) -> None:
        """Forget all blocks."""
        self._path.unlink(missing_ok=True)
        self._blocks.clear()

    def _read(self) -> None:
        with self._path.open("r+b") as file:
            content = file.read()
            # A line without its end was being written.
            whole = content[: content.rfind(b"\n") + 1]
            file.truncate(len(whole))
        for line in whole.splitlines():
            try:
                block = FinishedBlock.model_validate_json(line)
            except ValidationError:  # a disk that was full in the middle of one
                continue
            self._blocks[block.start] = block
