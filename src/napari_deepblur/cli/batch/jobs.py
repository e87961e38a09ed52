"""The pieces of work of a batch: files, their images, their channels."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_deepblur.engine.batch_settings import BatchSettings
from napari_deepblur.errors import describe
from napari_deepblur.io import StoredImage, list_images
from napari_deepblur.io.zarr_images import is_zarr

__all__ = ["BatchJob", "find_files", "find_jobs"]

_ENDINGS = {".tif", ".tiff", ".zarr", ".png", ".jpg", ".jpeg"}
_MARKS = set("*?[")


@dataclass(frozen=True, slots=True)
class BatchJob:
    """One channel of one image.

    Attributes
    ----------
    image
        File.
    series
        Number of the image in the file.
    channel
        Channel; None where there is but one.
    name
        Name for its output, without an ending.
    problem
        Why the file cannot be read, if it cannot.
    """

    image: Path
    series: int = 0
    channel: int | None = None
    name: str = ""
    problem: str = ""


def find_files(inputs: Sequence[str]) -> list[Path]:
    """Find the image files that files, folders and patterns name, each once, in order.

    Raises
    ------
    FileNotFoundError
        If an input names nothing.
    """
    found: dict[Path, None] = {}
    for text in inputs:
        path = Path(text).expanduser()
        if not path.exists():
            files = _matching(path)
        elif path.is_dir() and not is_zarr(path):
            files = _images(path.iterdir())
        else:
            files = [path]
        if not files:
            raise FileNotFoundError(f"there is no image {text}")
        found |= dict.fromkeys(files)
    return list(found)


def find_jobs(files: Sequence[Path], settings: BatchSettings) -> list[BatchJob]:
    """List each channel of each image of the files; a file that cannot be read is one job."""
    jobs: list[BatchJob] = []
    taken: set[str] = set()
    for file in files:
        for series, channel, name, problem in _parts(file, settings):
            unique, number = name, 1
            while unique in taken:
                number += 1
                unique = f"{name}-{number}"
            taken.add(unique)
            jobs.append(BatchJob(file, series, channel, unique, problem))
    return jobs


def _matching(pattern: Path) -> list[Path]:
    """Images that fit a pattern, which not every shell has replaced by their names."""
    root = Path(pattern.anchor)
    return _images(root.glob(str(pattern.relative_to(root)))) if _MARKS & set(str(pattern)) else []


def _images(paths: Iterable[Path]) -> list[Path]:
    return sorted(path for path in paths if _is_image(path))


def _is_image(path: Path) -> bool:
    if path.name.startswith("."):
        return False
    return is_zarr(path) if path.is_dir() else path.suffix.lower() in _ENDINGS


def _parts(file: Path, settings: BatchSettings) -> Iterator[tuple[int, int | None, str, str]]:
    stem = file.name.removesuffix(file.suffix).removesuffix(".ome")
    try:
        images = list_images(file, axes=settings.axes)
    # A reader's refusal costs its own file only.
    except Exception as error:  # noqa: BLE001
        yield 0, None, stem, describe(error)
        return
    shown = [series for series, image in enumerate(images) if not image.is_thumbnail] or [0]
    for series, suffix in zip(shown, _suffixes(shown, images), strict=True):
        for channel in _channels(images[series], settings):
            end = "" if channel is None else f"_c{channel}"
            yield series, channel, stem + suffix + end, ""


def _suffixes(shown: Sequence[int], images: Sequence[StoredImage]) -> list[str]:
    """Tell the images of a file apart: by their own names, such as a plate's A/1/0, or numbers."""
    if len(shown) == 1:
        return [""]
    names = [
        re.sub(r"[^\w.+-]+", "-", images[series].metadata.name).strip("-.") for series in shown
    ]
    if len({name.lower() for name in names if name}) == len(shown) and max(map(len, names)) < 60:
        return [f"_{name}" for name in names]
    return [f"_s{series}" for series in shown]


def _channels(image: StoredImage, settings: BatchSettings) -> list[int | None]:
    if settings.channels is not None:
        return list(settings.channels)
    letters = settings.axes or image.axes
    n_channels = dict(zip(letters, image.shape, strict=False)).get("C", 1)
    return list(range(n_channels)) if n_channels > 1 else [None]
