"""From an image file to a deblurred one, plane by plane, with a bar and with warnings."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_deepblur.cli.outputs import complete_outputs
from napari_deepblur.cli.progress import drive
from napari_deepblur.cli.report import warn_of_concerns
from napari_deepblur.engine.axes import Planes
from napari_deepblur.engine.file_run import FileRun
from napari_deepblur.engine.request import Request, Source, open_source
from napari_deepblur.engine.restore import Restored, find_blur_job, restore_job
from napari_deepblur.io import check_space

__all__ = ["RestoredFiles", "restore_files"]

#: Of float32, in which results are written.
_BYTES_PER_PIXEL = 4


@dataclass(frozen=True, slots=True)
class RestoredFiles:
    """What came out of an image file.

    Attributes
    ----------
    source
        The image.
    restored
        Blur and check; its pixels are in the files.
    flux_change
        Relative change of the sum of all pixels that hold a number.
    written
        Files, by the option that named them.
    """

    source: Source
    restored: Restored
    flux_change: float
    written: dict[str, Path]


def restore_files(request: Request, out: Path, residual: Path | None = None) -> RestoredFiles:
    """Deblur the image file of a request, or go on where an interrupted run was.

    Parameters
    ----------
    request
        Image file, optics and choices.
    out
        File for the deblurred image, which it replaces.
    residual
        File for the residual.
    """
    source = open_source(request)
    check_space(out, _n_bytes(source, [out] if residual is None else [out, residual]))
    run = FileRun.of(request, source, out, residual)
    if run.sharp.finished:
        warnings.warn(
            f"an interrupted run is gone on with: {len(run.sharp.finished)} planes are finished",
            UserWarning,
            stacklevel=2,
        )
    try:
        # In two jobs, so that doubts about the blur are told before the long part.
        found = run.blur or run.keep_blur(drive(find_blur_job(request, source)))
        warn_of_concerns(found)
        wanted = request.model_copy(update={"blur": found})
        restored = drive(restore_job(wanted, source, run=run))
        if restored.check is not None:
            warn_of_concerns(restored.check)
        flux_change = _flux_change(source, restored.sharp)
        return RestoredFiles(
            source, restored, flux_change, complete_outputs(run, restored, source, request)
        )
    except BaseException:
        kept = run.leave()
        if kept:
            warnings.warn(kept, UserWarning, stacklevel=2)
        raise


def _n_bytes(source: Source, paths: list[Path]) -> int:
    """Bytes of pixels to be written; those of a TIFF file are gathered elsewhere first."""
    n_copies = sum(1 if path.suffix == ".zarr" else 2 for path in paths)
    return n_copies * _BYTES_PER_PIXEL * math.prod(source.shape)


def _flux_change(source: Source, sharp: Any) -> float:
    observed, restored = Planes.of(source.data, source.axes), Planes.of(sharp, source.axes)
    before = after = 0.0
    for index in range(len(observed)):
        one, other = observed.read(index), restored.read(index)
        held = np.isfinite(one) & np.isfinite(other)  # what is no number holds no light
        before += float(one.sum(dtype=np.float64, where=held))
        after += float(other.sum(dtype=np.float64, where=held))
    return after / before - 1 if before else 0.0
