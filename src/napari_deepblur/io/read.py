"""Read an image file of any known format."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np

from napari_deepblur.errors import ImageError, describe
from napari_deepblur.io.image_file import ImageFile, StoredImage, read_stored, separate
from napari_deepblur.io.metadata import ImageMetadata
from napari_deepblur.io.tiff import tiff_images
from napari_deepblur.io.zarr_images import is_zarr, zarr_images

__all__ = ["list_images", "read_image", "read_metadata"]

_FORMATS = "TIFF, OME-TIFF, OME-Zarr, PNG and JPEG"
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PICTURE = (b"\x89PNG", b"\xff\xd8\xff")
_ZIP = (b"PK\x03\x04",)
#: Endings of formats that napari reads with a plugin, and Fiji with Bio-Formats.
_OTHER_PROGRAMS = {
    ".czi", ".dv", ".ims", ".lif", ".mrc", ".msr", ".nd", ".nd2", ".oib", ".oif", ".oir", ".r3d",
    ".sld", ".vsi", ".zvi",
}  # fmt: skip


def read_image(
    path: str | Path,
    *,
    series: int | None = None,
    channel: int | None = None,
    axes: str | None = None,
) -> ImageFile:
    """Read an image and what its file states of it.

    Parameters
    ----------
    path
        TIFF, OME-TIFF, OME-Zarr, PNG or JPEG; OME-Zarr may be a folder, a zip file or a web
        address.
    series
        Number of the image, counted from 0, in a file of several, as `list_images` lists
        them; by default the first that is no thumbnail.
    channel
        The only channel to read, counted from 0; by default all.
    axes
        Letters of T C Z Y X, one for each dimension as stored; by default what the file
        says. Dimensions that it does not name are taken for Z, then T.

    Returns
    -------
        The image with its axes in the order T C Z Y X.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    PermissionError
        If it may not be read.
    ImageError
        If it is not an image, is damaged or in colour, or axes, channel or series do not fit.

    Warns
    -----
    UserWarning
        If one of several images was chosen by default, or the image is incomplete.
    """
    with _opened(path) as (name, images):
        apart = separate(images, axes)
        number, doubt = _choose(name, apart, series)
        image = apart[number]
        if doubt:
            warnings.warn(doubt, UserWarning, stacklevel=2)
        incomplete = image.damage and f"{name} is incomplete: {image.damage}"
        try:
            file = read_stored(image, channel, axes)
        # Decoders raise anything at all where the pixels end.
        except Exception as error:
            if incomplete and not isinstance(error, ImageError):
                raise ImageError(incomplete) from error
            raise
        if incomplete:
            warnings.warn(incomplete, UserWarning, stacklevel=2)
        return file


def list_images(path: str | Path, *, axes: str | None = None) -> list[StoredImage]:
    """List the images of a file, and what it states of each, without reading their pixels.

    Parameters
    ----------
    path
        File as `read_image` takes it.
    axes
        Letters of T C Z Y X as `read_image` takes them: positions or angles that they name are
        no longer images of their own.

    Returns
    -------
        Images in the order in which `read_image` counts them. Their arrays can no longer be
        loaded, for the file is closed.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    PermissionError
        If it may not be read.
    ImageError
        If it is not an image, or is damaged.
    """
    with _opened(path) as (_, images):
        return separate(images, axes)


def read_metadata(path: str | Path, *, series: int | None = None) -> ImageMetadata:
    """Read what a file states of its image, without reading the pixels.

    Parameters
    ----------
    path
        File as `read_image` takes it.
    series
        Number of the image, counted from 0; by default the one that `read_image` reads.

    Returns
    -------
        Metadata of all channels.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    PermissionError
        If it may not be read.
    ImageError
        If it is not an image, is damaged, or has no such series.
    """
    images = list_images(path)
    return images[_choose(str(path), images, series)[0]].metadata


@contextmanager
def _opened(path: str | Path) -> Iterator[tuple[str, Sequence[StoredImage]]]:
    """Open a file, yield its name and images, and make any error of its reader an `ImageError`."""
    place = _web_address(path) or Path(path).expanduser()
    if isinstance(place, Path) and not place.exists():
        raise FileNotFoundError(f"there is no file {place}")
    name = place.name if isinstance(place, Path) else place
    try:
        with _reader(place) as images:
            yield name, images
    except (ImageError, PermissionError, MemoryError, Warning):
        raise
    # Readers of foreign formats raise anything at all when a file is damaged.
    except Exception as error:
        raise ImageError(_failure(place, error)) from error


def _web_address(path: str | Path) -> str | None:
    """Return a web address, also one that lost a slash because it was taken for a path."""
    found = re.fullmatch(r"(https?|s3|gs|ftp):/+(.+)", str(path).replace("\\", "/"))
    return f"{found[1]}://{found[2]}" if found else None


def _failure(place: Path | str, error: Exception) -> str:
    if isinstance(place, Path):
        return f"{place} cannot be read as an image; is it whole? ({describe(error)})"
    if isinstance(error, ImportError):
        return (
            f"to read {place}, pip install 'napari-deepblur[web]', or download it first "
            f"({describe(error)})"
        )
    return (
        f"{place} cannot be read as OME-Zarr, the only format that is read from the web: check "
        f"the address, or download it first ({describe(error)})"
    )


def _reader(place: Path | str) -> AbstractContextManager[list[StoredImage]]:
    """Choose the reader by the first bytes of a file, for the ending of its name may be wrong."""
    if isinstance(place, str):
        return zarr_images(place)
    if place.is_dir():
        if not is_zarr(place):
            raise ImageError(f"{place} is a folder, but not OME-Zarr: give an image file")
        return zarr_images(place)
    with place.open("rb") as file:
        start = file.read(4)
    for starts, reader in ((_TIFF, tiff_images), (_ZIP, zarr_images), (_PICTURE, _picture)):
        if start in starts or start[:3] in starts:
            return reader(place)
    raise ImageError(_unknown(place, start))


def _unknown(path: Path, start: bytes) -> str:
    if not start:
        return f"{path} is empty"
    if path.suffix.lower() in _OTHER_PROGRAMS:
        return (
            f"{path.name} is in a microscope's own format: open it in napari with a plugin for "
            "it, or save it as OME-TIFF in Fiji"
        )
    return f"{path} cannot be read as an image: it is none of {_FORMATS}, or damaged"


@contextmanager
def _picture(path: Path) -> Iterator[list[StoredImage]]:
    from skimage.io import imread

    # From memory: the reader leaves the file open when it is damaged.
    data = np.asarray(imread(BytesIO(path.read_bytes())))
    axes = "YX" if data.ndim == 2 else "YXS"
    yield [StoredImage(lambda: data, axes, data.shape, data.dtype)]


def _choose(name: str, images: Sequence[StoredImage], series: int | None) -> tuple[int, str]:
    """Choose the image to read; say it in words where another may be meant."""
    if series is not None:
        if not 0 <= series < len(images):
            raise ImageError(
                f"there is no image {series} in {name}: it holds {len(images)}, counted from 0"
            )
        return series, ""
    if not images:
        raise ImageError(f"{name} holds no image")
    whole = [number for number, image in enumerate(images) if not image.is_thumbnail] or [0]
    first = next((number for number in whole if images[number].shape), whole[0])
    if len(whole) == 1 and first == 0:
        return first, ""
    return first, (
        f"{name} holds {len(images)} images: number {first} is read "
        f"({images[first].describe()}); choose another with --series, `deepblur info` lists them"
    )
