"""From an image file to a deblurred one, plane by plane, with a bar and with warnings."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from napari_deepblur.cli.outputs import complete_outputs
from napari_deepblur.cli.progress import drive
from napari_deepblur.cli.report import warn_of_concerns
from napari_deepblur.engine.file_run import FileRun
from napari_deepblur.engine.request import Request, Source, open_source
from napari_deepblur.engine.restore import Restored
from napari_deepblur.io import check_space

__all__ = ["RestoredFiles", "completed", "opened_run", "restore_files", "tell_of_blur"]

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
    with opened_run(request, out, residual) as run:
        if run.blur is None:
            drive(run.job())
        tell_of_blur(run)
        drive(run.job())
        return completed(run, request)


@contextmanager
def opened_run(
    request: Request, out: Path, residual: Path | None = None, *, n_at_once: int = 1
) -> Iterator[FileRun]:
    """Open the image file of a request and the files that grow; says what an error leaves.

    Parameters
    ----------
    request
        Image file, optics and choices.
    out
        File for the deblurred image.
    residual
        File for the residual.
    n_at_once
        Number of steps that are worked on at once in this computer's memory.
    """
    source = open_source(request)
    with FileRun(request, source, out, residual, n_at_once=n_at_once) as run:
        try:
            _check_space(run)
            if run.n_finished:
                text = f"an interrupted run is gone on with: {run.n_finished} planes are finished"
                warnings.warn(text, UserWarning, stacklevel=3)
            yield run
        except BaseException:
            if run.holds_work:
                kept = f"{run.n_finished} planes are" if run.n_finished else "the blur is"
                text = (
                    f"{kept} finished and kept in {run.sharp.folder}: "
                    "the same command goes on from there"
                )
                warnings.warn(text, UserWarning, stacklevel=3)
            raise


def tell_of_blur(run: FileRun) -> None:
    """Warn of doubts about the blur that was found, before the long part."""
    if run.blur is not None:
        warn_of_concerns(run.blur)


def completed(run: FileRun, request: Request) -> RestoredFiles:
    """Put the files of a run, all of whose steps are done, in place.

    Parameters
    ----------
    run
        The run.
    request
        What was asked for.
    """
    restored = run.restored()
    if restored.check is not None:
        warn_of_concerns(restored.check)
    flux_change = run.flux_change
    written = complete_outputs(run, restored, run.source, request)
    return RestoredFiles(run.source, restored, flux_change, written)


def _check_space(run: FileRun) -> None:
    """Look at the space for what is left; a TIFF file's pixels are gathered elsewhere first."""
    n_pixels = math.prod(run.source.shape)
    n_planes = math.prod(run.source.shape[:-2])
    left = 1 - run.n_finished / max(n_planes, 1)
    for image in (run.sharp, run.residual):
        if image is not None:
            n_copies = left + (image.path.suffix != ".zarr")
            check_space(image.path, round(n_copies * _BYTES_PER_PIXEL * n_pixels))
