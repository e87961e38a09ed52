"""A restoration whose results are files, and which goes on where it was after an interruption."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from napari_deepblur import __version__
from napari_deepblur.engine.blur import BlurEstimate
from napari_deepblur.engine.blur_file import load_blur
from napari_deepblur.engine.deblur import usual_tile_px
from napari_deepblur.engine.models import DEFAULT_MODEL, load_model
from napari_deepblur.engine.request import Request, Source
from napari_deepblur.engine.volume.blur import VolumeBlurEstimate
from napari_deepblur.io.partial_image import PartialImage

__all__ = ["FileRun"]

_BLUR, _TILE = "blur.json", "tile_px.txt"


@dataclass(frozen=True, slots=True)
class FileRun:
    """Images that grow beside their places, with the choices that all of their planes share.

    The blur and the size of tiles are kept, so that a run that was interrupted ends with the very
    numbers of one that was not.

    Attributes
    ----------
    sharp
        Deblurred image.
    residual
        Residual, if it was asked for.
    """

    sharp: PartialImage
    residual: PartialImage | None = None

    @classmethod
    def of(cls, request: Request, source: Source, out: Path, residual: Path | None) -> FileRun:
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
        """
        work = _digest(request)
        sharp, rest = (
            None if path is None else PartialImage(path, source.shape, source.axes, work)
            for path in (out, residual)
        )
        assert sharp is not None
        return cls(sharp, rest)

    @property
    def blur(self) -> BlurEstimate | VolumeBlurEstimate | None:
        """Blur that was found before the interruption; None if none was."""
        path = self.sharp.folder / _BLUR
        return load_blur(path) if path.exists() else None

    def keep_blur(
        self, blur: BlurEstimate | VolumeBlurEstimate
    ) -> BlurEstimate | VolumeBlurEstimate:
        """Keep a blur, and return it with the digits that its file has."""
        path = self.sharp.folder / _BLUR
        blur.save(path, overwrite=True)
        return load_blur(path)

    def leave(self) -> str:
        """Leave unfinished work: say where it is, or remove what holds nothing yet."""
        images = [image for image in (self.sharp, self.residual) if image is not None]
        if self.sharp.finished or (self.sharp.folder / _BLUR).exists():
            return (
                f"{len(self.sharp.finished)} planes are finished and kept in {self.sharp.folder}: "
                "the same command goes on from there"
            )
        for image in images:
            image.discard()
        return ""

    def tile_px(self, blur: BlurEstimate, request: Request) -> int:
        """Return the side of tiles that fits in the memory that was free at first, pixels."""
        path = self.sharp.folder / _TILE
        if not path.exists():
            side = usual_tile_px(blur, model=request.model, device=request.device)
            path.write_text(str(side), encoding="ascii")
        return int(path.read_text(encoding="ascii"))


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
