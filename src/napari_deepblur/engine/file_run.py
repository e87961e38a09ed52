"""A restoration whose results are files, and which goes on where it was after an interruption."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from napari_deepblur import __version__
from napari_deepblur.atomic import replacing
from napari_deepblur.engine.blocks import Block, Blur, blocks_of
from napari_deepblur.engine.blur import BlurEstimate
from napari_deepblur.engine.blur_file import load_blur
from napari_deepblur.engine.deblur import usual_tile_px
from napari_deepblur.engine.diagnostics import check_of
from napari_deepblur.engine.events import Job, Progress
from napari_deepblur.engine.file_steps import Step, StepOfBlur, StepOfPlanes, joined_blur
from napari_deepblur.engine.journal import FinishedBlock, Journal
from napari_deepblur.engine.models import DEFAULT_MODEL, load_model
from napari_deepblur.engine.request import Request, Source
from napari_deepblur.engine.restore import Restored
from napari_deepblur.io.partial_image import PartialImage

__all__ = ["FileRun"]

Result = TypeVar("Result")

_BLUR, _TILE = "blur.json", "tile_px.txt"


class FileRun:
    """Image files that grow beside their places, and the list of the work that is left.

    The work consists of steps that any process can do, in any order. What is kept of each is on
    the disk before it counts as done. The blur and the size of tiles are kept, too, so that a run
    that was interrupted ends with the very numbers of one that was not.

    Attributes
    ----------
    source
        Image that is worked on.
    sharp
        Deblurred image.
    residual
        Residual, if it was asked for.
    """

    def __init__(
        self,
        request: Request,
        source: Source,
        out: Path,
        residual: Path | None,
        *,
        n_at_once: int = 1,
    ) -> None:
        """Go on with what an interrupted run of the same request left, or begin.

        Parameters
        ----------
        request
            Image file, optics and choices, before a blur was found.
        source
            The request's image.
        out
            File for the deblurred image.
        residual
            File for the residual, if it is wanted.
        n_at_once
            Number of steps that are worked on at once in this computer's memory.

        Raises
        ------
        OSError
            If another program is writing one of these files.
        """
        self.source, self._request, self._n_at_once = source, request, n_at_once
        work = _digest(request)
        self.sharp = PartialImage(out, source.shape, source.axes, work)
        self.residual: PartialImage | None = None
        try:
            self._journal = Journal(self.sharp.folder / "finished.jsonl")
            if residual is not None:
                self.residual = PartialImage(residual, source.shape, source.axes, work)
                if self.residual.is_new:
                    self._journal.clear()
        except BaseException:
            self.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Let go of the files; what holds nothing yet is removed."""
        if error is not None and not self.holds_work:
            for image in self._images:
                image.discard()
        self.release()

    def release(self) -> None:
        """Let other programs write these files."""
        for image in self._images:
            image.release()

    @property
    def _images(self) -> list[PartialImage]:
        return [image for image in (self.sharp, self.residual) if image is not None]

    @property
    def n_finished(self) -> int:
        """Number of planes that are finished."""
        return sum(one.stop - one.start for one in self._journal.finished)

    @property
    def holds_work(self) -> bool:
        """True if something is finished that would be lost."""
        return bool(self._journal.finished) or any(self.sharp.folder.glob("blur*.json"))

    def steps(self) -> Sequence[Step]:
        """Return the steps that can be done now, in any order: those of the blur, then the rest.

        Empty once all are done.
        """
        blur = self.blur
        if blur is None:
            return self._steps_of_blur()
        request = self._request
        given = request.model_copy(update={"known": None, "blur_plane": None})
        done = {one.start for one in self._journal.finished}
        tile_px = self._tile_px(blur) if isinstance(blur, BlurEstimate) else None
        return [
            StepOfPlanes(
                request=given.model_copy(update={"blur": block.of_blur(blur)}),
                block=block,
                tile_px=tile_px,
                sharp=self.sharp.arrays,
                residual=None if self.residual is None else self.residual.arrays,
            )
            for block in blocks_of(self.source, blur.per)
            if block.start not in done
        ]

    def keep(self, step: Step, result: Blur | FinishedBlock) -> None:
        """Keep what a step gave.

        Parameters
        ----------
        step
            One of `steps`.
        result
            What its job returned.
        """
        if isinstance(result, FinishedBlock):
            self._journal.add(result)
        elif step.block is None:
            result.save(self.sharp.folder / _BLUR, overwrite=True)
        else:
            result.save(self._part(step.block), overwrite=True)
            parts = [self._part(block) for block in self._blocks_of_blur()]
            if all(part.exists() for part in parts):
                joined = joined_blur([load_blur(part) for part in parts])
                joined.save(self.sharp.folder / _BLUR, overwrite=True)

    def job(self) -> Job[None]:
        """Do the steps that `steps` names now, one after the other."""
        steps = self.steps()
        total = sum(step.n_planes for step in steps)
        done = 0
        for step in steps:
            part = _Part(done, step.n_planes, total)
            self.keep(step, (yield from part.job(step.job(self.source))))
            done += step.n_planes

    @property
    def blur(self) -> Blur | None:
        """Blur of the image, with the digits that its file has; None as long as it is not found."""
        path = self.sharp.folder / _BLUR
        return load_blur(path) if path.exists() else None

    def restored(self) -> Restored:
        """Collect what was found in all steps; the pixels stay where they are."""
        blur, finished = self.blur, self._journal.finished
        assert blur is not None
        checked = [plane for one in finished for plane in one.checked()]
        check = check_of(checked) if any(one.check for one in finished) else None
        has_residual = self.residual is not None and all(one.has_residual for one in finished)
        residual = self.residual.planes if has_residual and self.residual is not None else None
        return Restored(blur, self.sharp.planes, check, residual)

    @property
    def flux_change(self) -> float:
        """Relative change of the sum of all pixels that hold a number."""
        before = sum(one.flux_before for one in self._journal.finished)
        after = sum(one.flux_after for one in self._journal.finished)
        return after / before - 1 if before else 0.0

    def _steps_of_blur(self) -> list[Step]:
        blocks = self._blocks_of_blur()
        if len(blocks) == 1:
            return [StepOfBlur(request=self._request, n_planes=len(blocks[0]))]
        return [
            StepOfBlur(request=self._request, block=block, n_planes=len(block))
            for block in blocks
            if not self._part(block).exists()
        ]

    def _blocks_of_blur(self) -> list[Block]:
        """Blocks whose blurs are found apart; one, of all planes, where they need each other."""
        request = self._request
        given = request.blur is not None or request.known is not None
        blocks = blocks_of(self.source, request.per)
        if given or request.focus_series or request.bead or request.per == "stack":
            return [Block(0, blocks[-1].stop)]
        return blocks

    def _part(self, block: Block) -> Path:
        return self.sharp.folder / f"blur-{block.start}.json"

    def _tile_px(self, blur: BlurEstimate) -> int:
        """Return the side of tiles that fits in the memory that was free at first, pixels."""
        path = self.sharp.folder / _TILE
        if not path.exists():
            side = usual_tile_px(
                blur,
                model=self._request.model,
                device=self._request.device,
                n_at_once=self._n_at_once,
            )
            with replacing(path) as aside:
                aside.write_text(str(side), encoding="ascii")
        return int(path.read_text(encoding="ascii"))


class _Part:
    """Part of the planes of an image: its progress becomes that of the whole.

    A part has several stages; it moves on in the longest of them, which is the first.
    """

    _FINE = 100

    def __init__(self, done: int, n_planes: int, total: int) -> None:
        self._done, self._n_planes, self._total = done, n_planes, total
        self._furthest = 0.0

    def job(self, job: Job[Result]) -> Job[Result]:
        """Pass on what a job of this part tells."""
        while True:
            try:
                event = next(job)
            except StopIteration as stop:
                result: Result = stop.value
                return result
            if isinstance(event, Progress) and self._n_planes < self._total:
                self._furthest = max(self._furthest, event.done / max(event.total, 1))
                at = self._FINE * (self._done + self._n_planes * min(self._furthest, 1.0))
                event = Progress(round(at), self._FINE * self._total, event.stage)
            yield event


def _digest(request: Request) -> str:
    """Tell a piece of work from all others: by choices, input, models and version."""
    model = load_model(request.model or DEFAULT_MODEL)
    named = [request.image, request.blur, *(vars(request.known) if request.known else {}).values()]
    content = {
        "version": __version__,
        "request": request.model_dump(mode="json"),
        "model": model.card.model_dump(mode="json"),
        "files": [_state(path) for path in named if isinstance(path, Path)],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _state(path: Path) -> tuple[int, int, int]:
    """Count, size and time of the last change of the files in a folder, or of a single one.

    What is not there is refused where it is opened.
    """
    files = [path] if path.is_file() else []
    files += [Path(parent) / name for parent, _, names in os.walk(path) for name in names]
    stats = [file.stat() for file in files]
    size, changed = sum(one.st_size for one in stats), [one.st_mtime_ns for one in stats]
    return len(stats), size, max(changed, default=0)
