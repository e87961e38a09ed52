"""Write an image file whole or not at all, over nothing that was not named."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_deepblur.atomic import check_replaceable, check_writable, replacing
from napari_deepblur.errors import describe
from napari_deepblur.io.metadata import ImageMetadata
from napari_deepblur.io.tiff_writer import write_tiff
from napari_deepblur.io.units import bytes_text
from napari_deepblur.io.zarr_images import is_zarr
from napari_deepblur.io.zarr_writer import write_ome_zarr

__all__ = ["check_image_output", "check_output", "check_space", "write_image"]

#: Deblurred images are compressed, dark ones to a small part of their size.
_COMPRESSED_TO = 0.25


def check_output(
    path: str | Path, *, overwrite: bool = False, source: str | Path | None = None
) -> Path:
    """Refuse an output path before the work for it begins.

    Parameters
    ----------
    path
        File to be written.
    overwrite
        Whether it may replace an existing one.
    source
        Input that must not be replaced in any case.

    Returns
    -------
        The path.

    Raises
    ------
    FileExistsError
        If it exists and may not be replaced.
    FileNotFoundError
        If its folder does not exist.
    OSError
        If nothing can be written there.
    ValueError
        If it is the input or holds it, or is a folder that is no image.
    """
    path = Path(path).expanduser()
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent} to write {path.name} into")
    check_writable(path)
    if source is not None and _holds(path, Path(source).expanduser()):
        raise ValueError(f"{path} is the input: choose another output name")
    _check_image_replaceable(path, overwrite=overwrite)
    return path


def check_image_output(
    path: str | Path, *, overwrite: bool = False, source: str | Path | None = None
) -> Path:
    """Refuse an output path as `check_output` does, or for an ending of no known format."""
    _writer_of(Path(path))
    return check_output(path, overwrite=overwrite, source=source)


def check_space(path: str | Path, n_bytes: int) -> None:
    """Look at the free space of a disk before the work for an image begins.

    Parameters
    ----------
    path
        Image to be written.
    n_bytes
        Bytes of its pixels, not compressed.

    Raises
    ------
    OSError
        If it will not fit in any case.

    Warns
    -----
    UserWarning
        If the image fits only when it is compressed.
    """
    path = Path(path).expanduser()
    free = shutil.disk_usage(path.parent).free
    text = f"{bytes_text(n_bytes)} of pixels are to be written, {bytes_text(free)} are free"
    if free < _COMPRESSED_TO * n_bytes:
        raise OSError(f"the disk of {path} is too full: {text}")
    if free < n_bytes:
        warnings.warn(f"the disk of {path} may be too full: {text}", UserWarning, stacklevel=2)


def write_image(
    path: str | Path,
    data: Any,
    axes: str,
    *,
    pixel_size_um: float | None = None,
    z_step_um: float | None = None,
    metadata: ImageMetadata | None = None,
    provenance: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> None:
    """Write an image as OME-TIFF (.tif, .tiff) or OME-Zarr (.zarr).

    Parameters
    ----------
    path
        Output; its ending chooses the format.
    data
        Array, read plane by plane.
    axes
        One letter of T C Z Y X per dimension, in that order.
    pixel_size_um
        Side of a pixel in the sample, µm, before what `metadata` says of it.
    z_step_um
        Distance between planes, µm, before what `metadata` says of it.
    metadata
        Pixel size, place, channels and so on, as `read_image` found them in the input.
    provenance
        How the image was made, as plain JSON values.
    overwrite
        Whether to replace an existing file.

    Raises
    ------
    FileExistsError
        If the path exists and `overwrite` is false.
    OSError
        If it cannot be written; the message says where the image was put instead.
    ValueError
        If the ending is of no known format, or axes do not fit the data.
    """
    path = Path(path).expanduser()
    write = _writer_of(path)
    _check_image_replaceable(path, overwrite=overwrite)
    data = data if hasattr(data, "dtype") else np.asarray(data)
    if len(axes) != data.ndim:
        raise ValueError(f"axes {axes!r} do not fit an array of shape {data.shape}")
    n_channels = data.shape[axes.index("C")] if "C" in axes else 1
    told = (metadata or ImageMetadata()).for_channels(n_channels)
    if pixel_size_um is not None:
        told = replace(told, pixel_sides_um=(pixel_size_um, pixel_size_um))
    if z_step_um is not None:
        told = replace(told, z_step_um=z_step_um)
    content = (data, axes, told, provenance or {})
    try:
        with replacing(path) as aside:
            write(aside, *content)
    # The work is done: whatever went wrong, the image is kept.
    except Exception as error:
        kept = _keep(write, path.name, content)
        raise OSError(f"{path} could not be written ({describe(error)}): {kept}") from error


def _check_image_replaceable(path: Path, *, overwrite: bool) -> None:
    check_replaceable(path, overwrite=overwrite)
    if path.is_dir() and not is_zarr(path):
        raise ValueError(f"{path} is a folder, but not OME-Zarr: it will not be replaced")


def _holds(path: Path, source: Path) -> bool:
    """Tell whether a path is the input, or a folder that the input lies in."""
    path, source = path.resolve(), source.resolve()
    if path in (source, *source.parents):
        return True
    return path.exists() and source.exists() and path.samefile(source)


def _writer_of(path: Path) -> Any:
    suffix = path.suffix.lower()
    if suffix in {".tif", ".tiff"}:
        return write_tiff
    if suffix == ".zarr":
        return write_ome_zarr
    raise ValueError(f"cannot write {path.name}: end its name in .ome.tif or .ome.zarr")


def _keep(write: Any, name: str, content: tuple[Any, ...]) -> str:
    """Save an image that could not be written in a temporary folder, and say where it is."""
    folder = Path(tempfile.mkdtemp(prefix="napari-deepblur-"))
    try:
        write(folder / name, *content)
    # Should the format be to blame, the bare array may still do.
    except Exception:  # noqa: BLE001
        shutil.rmtree(folder)
        folder.mkdir()
        name = f"{Path(name).stem}.npy"
        try:
            np.save(folder / name, content[0])
        except Exception:  # noqa: BLE001
            shutil.rmtree(folder)
            return "and the folder for temporary files is full, too"
    return f"the image is in {folder / name}, move it to where it is safe"
