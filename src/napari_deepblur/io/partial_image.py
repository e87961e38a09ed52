"""An image file that grows, and goes on where it was after an interruption.

Until all planes are there they lie beside the output, in a folder that no program takes for an
image: the arrays of an OME-Zarr image without its description.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_deepblur.atomic import put_in_place, replacing
from napari_deepblur.errors import describe
from napari_deepblur.io.metadata import ImageMetadata
from napari_deepblur.io.tiff_writer import write_tiff
from napari_deepblur.io.zarr_pyramid import ZarrPyramid
from napari_deepblur.io.zarr_writer import describe_ome_zarr

__all__ = ["PartialImage", "complete"]


class PartialImage:
    """Image that grows, float32; a second program is refused until this one lets go of it.

    Attributes
    ----------
    path
        Output, OME-Zarr or OME-TIFF by its ending.
    folder
        Folder beside it that holds what is unfinished.
    arrays
        Folder inside it of a `ZarrPyramid`. Its name is the work's own, so that a process which
        still writes for other work, such as a lost worker of a cluster, does no harm to this.
    planes
        That pyramid.
    is_new
        True if no earlier run of the same work left anything.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], axes: str, work: str) -> None:
        """Go on with what an interrupted run left, or begin.

        Parameters
        ----------
        path
            Output.
        shape
            Shape of the image, Y and X last.
        axes
            One letter of T C Z Y X per dimension.
        work
            Words or a digest that tell this work from any other: what another work left is
            removed.

        Raises
        ------
        OSError
            If another program is writing this output.
        """
        self.path, self._axes = path, axes
        self.folder = path.with_name(f".unfinished-{path.name}")
        self._lock = _locked(path)
        try:
            self.arrays = self.folder / f"{_digest(work, shape, axes)}.zarr"
            self.is_new = not (self.arrays / "0" / "zarr.json").is_file()
            if self.is_new:
                self._remove()
                self.folder.mkdir()
                # All of them or none: what lies there is complete.
                with replacing(self.arrays) as aside:
                    ZarrPyramid.create(aside, shape, np.float32, axes)
            self.planes = ZarrPyramid(self.arrays)
        except BaseException:
            self.release()
            raise

    def whole(self, metadata: ImageMetadata, provenance: Mapping[str, Any]) -> Path:
        """Make an image of the planes, beside its place, in the format of its ending."""
        if self.path.suffix.lower() == ".zarr":
            # Of a writer that was killed between a chunk's first byte and its last.
            for file in self.arrays.rglob("*.partial"):
                file.unlink()
            describe_ome_zarr(self.arrays, self.planes, self._axes, metadata, provenance)
            return self.arrays
        whole = self.folder / self.path.name
        with replacing(whole) as aside:
            write_tiff(aside, self.planes, self._axes, metadata, provenance)
        return whole

    def discard(self) -> None:
        """Remove what is unfinished, and let other programs write this output."""
        self._remove()
        self.release()

    def release(self) -> None:
        """Keep what is unfinished, and let other programs write this output."""
        # While nobody else can have it; on Windows filelock does it.
        if os.name != "nt" and self._lock.is_locked:
            Path(self._lock.lock_file).unlink(missing_ok=True)
        self._lock.release()

    def _remove(self) -> None:
        if self.folder.exists():
            shutil.rmtree(self.folder)


def complete(
    images: Sequence[PartialImage], metadata: ImageMetadata, provenance: Mapping[str, Any]
) -> None:
    """Put images whose planes are all there in place, all of them or none.

    Parameters
    ----------
    images
        The images; what is left of them beside their places is removed.
    metadata
        Pixel size, channels and so on.
    provenance
        How the images were made, as plain JSON values.

    Raises
    ------
    OSError
        If one of them cannot be written; the planes are still there.
    """
    names = " and ".join(str(image.path) for image in images)
    try:
        wholes = [image.whole(metadata, provenance) for image in images]
        put_in_place([(new, image.path) for new, image in zip(wholes, images, strict=True)])
    # What is wrong with the format or the disk shows itself in many ways.
    except Exception as error:
        raise OSError(f"{names} could not be written ({describe(error)})") from error
    for image in images:
        image.discard()


def _locked(path: Path) -> Any:
    """Lock an output; the lock ends with this process, however that ends."""
    from filelock import FileLock, Timeout

    lock = FileLock(path.with_name(f".unfinished-{path.name}.lock"), timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise OSError(
            f"another program is writing {path} at this moment: wait until it has ended, or choose "
            "another name"
        ) from None
    return lock


def _digest(work: str, shape: tuple[int, ...], axes: str) -> str:
    content = json.dumps([work, *map(int, shape), axes])
    return hashlib.sha256(content.encode()).hexdigest()[:16]
