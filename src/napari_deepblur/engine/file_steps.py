"""Steps of a restoration from file to files, each of which any process can do by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np

from napari_deepblur.engine.axes import Planes
from napari_deepblur.engine.blocks import Block, BlockOfFile, Blur
from napari_deepblur.engine.blur import BlurEstimate
from napari_deepblur.engine.diagnostics import checked_planes
from napari_deepblur.engine.estimate import blank_estimate
from napari_deepblur.engine.events import Job
from napari_deepblur.engine.journal import FinishedBlock
from napari_deepblur.engine.models import DEFAULT_MODEL
from napari_deepblur.engine.request import Request, Source
from napari_deepblur.engine.restore import find_blur_job, restore_job
from napari_deepblur.engine.stored_plane import is_blank, row_bands
from napari_deepblur.errors import ImageError
from napari_deepblur.io.zarr_pyramid import ZarrPyramid

__all__ = ["Step", "StepOfBlur", "StepOfPlanes", "joined_blur"]


@dataclass(frozen=True, slots=True)
class StepOfBlur:
    """Find the blur of a block, or of all planes together.

    Attributes
    ----------
    request
        What was asked for.
    n_planes
        Number of planes.
    block
        The block; None for all planes.
    """

    request: Request
    n_planes: int
    block: Block | None = None

    def job(self, source: Source) -> Job[Blur]:
        """Find it; blank planes among others have a blur of which nothing is known."""
        if self.block is None:
            return (yield from find_blur_job(self.request, source))
        part = self.block.of_source(source)
        planes = Planes.of(part.data, part.axes)
        if self.request.per == "plane" and _are_blank(planes):
            model = self.request.model or DEFAULT_MODEL
            return blank_estimate(planes, optics=source.optics, model=model)
        try:
            return (yield from find_blur_job(self.request, part))
        except ImageError as error:
            raise type(error)(f"{error} ({self.block})") from error


@dataclass(frozen=True, slots=True)
class StepOfPlanes:
    """Deblur a block, check it, and write it to files that grow.

    Attributes
    ----------
    request
        What was asked for, with the blur of the block.
    block
        The block.
    tile_px
        Largest side of tiles, pixels.
    sharp, residual
        Folders of the `ZarrPyramid` of the deblurred image, and of the residual if it is wanted.
    """

    request: Request
    block: Block
    tile_px: int | None
    sharp: Path
    residual: Path | None

    @property
    def n_planes(self) -> int:
        """Number of planes."""
        return len(self.block)

    def job(self, source: Source) -> Job[FinishedBlock]:
        """Do it; when it ends, the planes are on the disk."""
        part = self.block.of_source(source)
        sharp = BlockOfFile(ZarrPyramid(self.sharp), self.block)
        residual = None
        if self.residual is not None:
            residual = BlockOfFile(ZarrPyramid(self.residual), self.block)
        restored = yield from restore_job(
            self.request, part, run=_Destinations(sharp, residual, self.tile_px)
        )
        before, after = _flux(part, sharp)
        sharp.flush()
        if residual is not None:
            residual.flush()
        return FinishedBlock(
            start=self.block.start,
            stop=self.block.stop,
            check=None if restored.check is None else checked_planes(restored.check),
            has_residual=restored.residual is not None,
            flux_before=before,
            flux_after=after,
        )


Step = StepOfBlur | StepOfPlanes


@dataclass(frozen=True, slots=True)
class _Destinations:
    """Places of the results of a block."""

    sharp: BlockOfFile
    residual: BlockOfFile | None
    side: int | None

    def tile_px(self, blur: BlurEstimate, request: Request) -> int | None:  # noqa: ARG002
        """Side of tiles, the same in all blocks."""
        return self.side


def joined_blur(parts: Sequence[Blur]) -> Blur:
    """Join the blurs of the blocks of an image.

    Raises
    ------
    ImageError
        If all planes are blank.
    """
    first = parts[0]
    if all(isinstance(part, BlurEstimate) and part.is_blank.all() for part in parts):
        raise ImageError("all pixels of each plane are equal: there is no blur to read")
    joined = replace(
        first,
        coefficients=np.concatenate([part.coefficients for part in parts]),
        std=np.concatenate([part.std for part in parts]),
        concerns=tuple(row for part in parts for row in part.concerns),
    )
    if isinstance(joined, BlurEstimate):
        joined = replace(joined, n_planes=len(joined.coefficients))
    return joined


def _are_blank(planes: Planes) -> bool:
    return all(is_blank(planes, index) for index in range(len(planes)))


def _flux(source: Source, sharp: BlockOfFile) -> tuple[float, float]:
    """Sum the pixels that hold a number, observed and deblurred."""
    observed, restored = Planes.of(source.data, source.axes), Planes.of(sharp, source.axes)
    before = after = 0.0
    for index, rows in product(range(len(observed)), row_bands(observed.plane_shape)):
        one, other = (image.read(index, (rows, slice(None))) for image in (observed, restored))
        held = np.isfinite(one) & np.isfinite(other)  # what is no number holds no light
        before += float(one.sum(dtype=np.float64, where=held))
        after += float(other.sum(dtype=np.float64, where=held))
    return before, after
