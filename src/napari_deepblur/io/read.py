"""Read an image file of any known format."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np

from napari_deepblur.errors import ImageError, describe
from napari_deepblur.io.image_file import ImageFile, arrange, take_channel
from napari_deepblur.io.ome_zarr import is_zarr, read_ome_zarr
from napari_deepblur.io.tiff import read_tiff

__all__ = ["read_image"]

_FORMATS = "TIFF, OME-TIFF, OME-Zarr, PNG and JPEG"


def read_image(
    path: str | Path, *, channel: int | None = None, axes: str | None = None
) -> ImageFile:
    """Read an image and what its file says of pixel size and objective.

    Parameters
    ----------
    path
        TIFF, OME-TIFF, OME-Zarr, PNG or JPEG.
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
        If it is not an image, is damaged or in colour, or axes or channel do not fit.
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        image = _read(path, axes)
    except (ImageError, PermissionError, MemoryError):
        raise
    # Readers of foreign formats raise anything at all when a file is damaged.
    except Exception as error:
        raise ImageError(
            f"{path} cannot be read as an image; is it whole? ({describe(error)})"
        ) from error
    return take_channel(image, channel)


def _read(path: Path, axes: str | None) -> ImageFile:
    if path.is_dir():
        if not is_zarr(path):
            raise ImageError(f"{path} is a folder, but not OME-Zarr: give an image file")
        return read_ome_zarr(path, axes)
    suffix = path.suffix.lower()
    if suffix in {".tif", ".tiff", ".btf", ".tf8"}:
        return read_tiff(path, axes)
    if suffix in {".png", ".jpg", ".jpeg"}:
        return _read_picture(path, axes)
    raise ImageError(f"{path} is of no known image format: use {_FORMATS}")


def _read_picture(path: Path, axes: str | None) -> ImageFile:
    from skimage.io import imread

    # From memory: the reader leaves the file open when it is damaged.
    data = np.asarray(imread(BytesIO(path.read_bytes())))
    return ImageFile(*arrange(data, "YX" if data.ndim == 2 else "YXS", axes))
