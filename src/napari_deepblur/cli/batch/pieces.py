"""One piece of a batch on its way: opened, worked on in steps, recorded."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_deepblur.cli.batch.jobs import BatchJob
from napari_deepblur.cli.batch.pictures import pictures_of
from napari_deepblur.cli.batch.records import Record
from napari_deepblur.cli.progress import drive
from napari_deepblur.cli.report import maker_of
from napari_deepblur.cli.restoration import RestoredFiles, completed, opened_run, tell_of_blur
from napari_deepblur.engine.file_run import FileRun
from napari_deepblur.engine.request import Request
from napari_deepblur.errors import describe
from napari_deepblur.io import check_image_output

if TYPE_CHECKING:
    from napari_deepblur.engine.file_steps import Step

__all__ = ["Piece", "work_here"]


class Piece:
    """One channel of one image, from its file to its record.

    Attributes
    ----------
    name
        Name of its output, without an ending.
    """

    def __init__(self, job: BatchJob, request: Request, path: Path, *, overwrite: bool) -> None:
        """Plan it; nothing is opened yet.

        Parameters
        ----------
        job
            What is worked on.
        request
            What is asked for.
        path
            Output.
        overwrite
            Whether the output may replace an existing one.
        """
        self.name = job.name
        self._job, self._request, self._path, self._overwrite = job, request, path, overwrite
        self._texts: list[str] = []
        self._open = ExitStack()
        self._begun = time.monotonic()
        self._run: FileRun | None = None
        self._blur_is_told = False

    @property
    def run(self) -> FileRun:
        """Files of this piece, which is open."""
        assert self._run is not None
        return self._run

    def open(self, *, n_at_once: int = 1) -> None:
        """Open its files; whatever it raises is a matter of this piece alone."""
        self._begun = time.monotonic()
        if self._job.problem:
            raise ValueError(self._job.problem)
        check_image_output(self._path, overwrite=self._overwrite, source=self._job.image)
        opened = opened_run(self._request, self._path, n_at_once=n_at_once)
        self._run = self._open.enter_context(opened)

    def steps(self) -> list[Step]:
        """Return the steps that can be done now; none once it can be completed."""
        if not self._blur_is_told and self.run.blur is not None:
            tell_of_blur(self.run)
            self._blur_is_told = True
        return list(self.run.steps())

    def tell(self, texts: Iterable[str]) -> None:
        """Keep warnings for the record."""
        self._texts += texts

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Keep Python's warnings for the record."""
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always", UserWarning)
            try:
                yield
            finally:
                self.tell(str(one.message) for one in told)

    def complete(self) -> Record:
        """Put the output in place, all of whose steps are done."""
        files = completed(self.run, self._request)
        content = {
            "output": self._path.name,
            "axes": files.source.axes,
            "shape": files.source.shape,
            "seconds": time.monotonic() - self._begun,
            "flux_change": files.flux_change,
            "blur": maker_of(files.restored.blur),
            "pictures": pictures_of(files),
            **_figures(files),
        }
        self._open.close()
        return self._record(status="done", **content)

    def fail(self, error: Exception) -> Record:
        """Let go of the files, and record why."""
        with self.telling():
            self.leave(error)
        return self._record(status="failed", error=describe(error))

    def leave(self, error: BaseException) -> None:
        """Let go of the files; what is finished stays for another run."""
        self._open.__exit__(type(error), error, error.__traceback__)

    def _record(self, **content: Any) -> Record:
        texts = [" ".join(text.split()) for text in self._texts]
        return Record(
            name=self.name,
            image=str(self._job.image),
            series=self._job.series,
            channel=self._job.channel,
            request=self._request.model_dump(mode="json"),
            warnings=tuple(dict.fromkeys(texts)),
            **content,
        )


def work_here(pieces: Iterable[Piece]) -> Iterator[Record]:
    """Work on pieces one after the other, in this process."""
    for piece in pieces:
        try:
            with piece.telling():
                piece.open()
                while piece.steps():
                    drive(piece.run.job())
                record = piece.complete()
        # Whatever is wrong with one image, the others are deblurred.
        except Exception as error:  # noqa: BLE001
            record = piece.fail(error)
        except BaseException as error:
            piece.leave(error)
            raise
        yield record


def _figures(files: RestoredFiles) -> dict[str, float | None]:
    """Medians of the check over the planes that are not blank."""
    check = files.restored.check
    if check is None or np.isnan(check.residual).all():
        return {}
    return {
        name: float(np.nanmedian(getattr(check, name)))
        for name in ("residual", "border_ringing", "flux_moved")
    }
