"""An image file that grows plane by plane, and goes on where it was after an interruption.

Until all planes are there they lie beside the output, in a folder that no program takes for an
image: the arrays of an OME-Zarr image without its description, and a list of finished planes.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.atomic import put_in_place, replacing
from napari_deepblur.errors import describe
from napari_deepblur.io.metadata import ImageMetadata
from napari_deepblur.io.tiff_writer import write_tiff
from napari_deepblur.io.zarr_pyramid import ZarrPyramid
from napari_deepblur.io.zarr_writer import describe_ome_zarr

__all__ = ["PartialImage"]


class PartialImage:
    """Image whose planes are written one by one, float32.

    Attributes
    ----------
    path
        Output, OME-Zarr or OME-TIFF by its ending.
    folder
        Folder beside it that holds what is finished.
    axes
        One letter of T C Z Y X per dimension.
    dtype
        Data type of the pixels.
    finished
        Numbers of the planes that are there, the last leading axis running fastest.
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
        """
        self.path, self.axes = path, axes
        self.folder = path.with_name(f".unfinished-{path.name}")
        note = {"work": work, "shape": list(shape), "axes": axes}
        if self._note() != note or not self._zarr.is_dir():
            self.discard()
            self.folder.mkdir()
        self.dtype = np.dtype(np.float32)
        self._planes = ZarrPyramid(self._zarr, shape, self.dtype, axes)
        # Last, so that a folder with a note has all of its arrays.
        self._write_note(note)
        self.finished = self._journalled()

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the image."""
        return self._planes.shape

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return self._planes.ndim

    def __getitem__(self, index: Any) -> NDArray[np.float32]:
        return self._planes[index]

    def __setitem__(self, index: tuple[int, ...], plane: NDArray[np.float32]) -> None:
        """Write a plane; the index is that of the leading axes."""
        self._planes[index] = plane
        number = int(np.ravel_multi_index(index, self.shape[:-2])) if index else 0
        # Only now: a plane that is listed is there.
        with self._journal.open("a", encoding="ascii") as journal:
            journal.write(f"{number}\n")
        self.finished.add(number)

    def complete(self, metadata: ImageMetadata, provenance: Mapping[str, Any]) -> None:
        """Put the image in place, in the format of its ending, and remove the folder.

        Parameters
        ----------
        metadata
            Pixel size, channels and so on.
        provenance
            How the image was made, as plain JSON values.

        Raises
        ------
        OSError
            If it cannot be written; the planes are still in the folder.
        """
        try:
            self._put(metadata, provenance)
        # What is wrong with the format or the disk shows itself in many ways.
        except Exception as error:
            raise OSError(f"{self.path} could not be written ({describe(error)})") from error
        self.discard()

    def _put(self, metadata: ImageMetadata, provenance: Mapping[str, Any]) -> None:
        if self.path.suffix.lower() == ".zarr":
            describe_ome_zarr(self._zarr, self._planes, self.axes, metadata, provenance)
            put_in_place(self._zarr, self.path)
        else:
            with replacing(self.path) as aside:
                write_tiff(aside, self._planes, self.axes, metadata, provenance)

    def discard(self) -> None:
        """Remove what is finished."""
        if self.folder.exists():
            shutil.rmtree(self.folder)

    @property
    def _zarr(self) -> Path:
        return self.folder / "image.zarr"

    @property
    def _journal(self) -> Path:
        return self.folder / "finished.txt"

    def _note(self) -> Any:
        try:
            return json.loads((self.folder / "note.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def _write_note(self, note: Mapping[str, Any]) -> None:
        with replacing(self.folder / "note.json") as aside:
            aside.write_text(json.dumps(note), encoding="utf-8")

    def _journalled(self) -> set[int]:
        if not self._journal.exists():
            return set()
        text = self._journal.read_text(encoding="ascii")
        # A line without its end was being written.
        whole, _, _ = text.rpartition("\n")
        self._journal.write_text(f"{whole}\n" if whole else "", encoding="ascii")
        return {int(line) for line in whole.split()}
