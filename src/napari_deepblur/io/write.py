"""Write an image file whole or not at all, over nothing that was not named."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_deepblur.io.ome_zarr import is_zarr, write_ome_zarr
from napari_deepblur.io.tiff import write_tiff

__all__ = ["check_image_output", "check_output", "write_image"]


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

    Raises
    ------
    FileExistsError
        If it exists and may not be replaced.
    FileNotFoundError
        If its folder does not exist.
    ValueError
        If it is the input, or a folder that is no image.
    """
    path = Path(path).expanduser()
    if source is not None and path.resolve() == Path(source).expanduser().resolve():
        raise ValueError(f"{path} is the input: choose another output name")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent} to write {path.name} into")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists: choose another name or ask to overwrite it")
    if path.is_dir() and not is_zarr(path):
        raise ValueError(f"{path} is a folder, but not OME-Zarr: it will not be replaced")
    return path


def check_image_output(
    path: str | Path, *, overwrite: bool = False, source: str | Path | None = None
) -> Path:
    """`check_output` for an image: its ending must be of a known format, too."""
    _writer_of(Path(path))
    return check_output(path, overwrite=overwrite, source=source)


def write_image(
    path: str | Path,
    data: Any,
    axes: str,
    *,
    pixel_size_um: float | None = None,
    z_step_um: float | None = None,
    overwrite: bool = False,
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Write an image as OME-TIFF (.tif, .tiff) or OME-Zarr (.zarr).

    Parameters
    ----------
    path
        Output; its ending chooses the format.
    data
        Array.
    axes
        One letter of T C Z Y X per dimension, in that order.
    pixel_size_um
        Side of a pixel in the sample, µm; None if unknown.
    z_step_um
        Distance between planes, µm; None if unknown.
    overwrite
        Whether to replace an existing file.
    metadata
        What else the file shall tell, as plain JSON values.

    Raises
    ------
    FileExistsError
        If the path exists and `overwrite` is false.
    FileNotFoundError
        If its folder does not exist.
    ValueError
        If the ending is of no known format, or axes do not fit the data.
    """
    path = check_image_output(path, overwrite=overwrite)
    write = _writer_of(path)
    data = np.asarray(data)
    if len(axes) != data.ndim:
        raise ValueError(f"axes {axes!r} do not fit an array of shape {data.shape}")
    # A sibling, so that the last step is a rename on one disk.
    partial = path.with_name(f".partial-{path.name}")
    _remove(partial)
    try:
        write(
            partial,
            data,
            axes,
            pixel_size_um=pixel_size_um,
            z_step_um=z_step_um,
            metadata=metadata or {},
        )
        _put(partial, path)
    finally:
        _remove(partial)


def _writer_of(path: Path) -> Any:
    suffix = path.suffix.lower()
    if suffix in {".tif", ".tiff"}:
        return write_tiff
    if suffix == ".zarr":
        return write_ome_zarr
    raise ValueError(f"cannot write {path.name}: end its name in .ome.tif or .ome.zarr")


def _put(new: Path, path: Path) -> None:
    """Rename over whatever lies there; a folder cannot be renamed over, so it steps aside."""
    if not path.is_dir():
        new.replace(path)
        return
    old = path.with_name(f".old-{path.name}")
    _remove(old)
    path.rename(old)
    try:
        new.rename(path)
    except OSError:
        old.rename(path)
        raise
    _remove(old)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
