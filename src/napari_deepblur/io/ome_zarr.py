"""OME-Zarr, versions 0.4 and 0.5.

Source: the OME-NGFF specification, https://ngff.openmicroscopy.org.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_deepblur.errors import ImageError
from napari_deepblur.io.image_file import ImageFile, arrange
from napari_deepblur.io.units import length_um

__all__ = ["is_zarr", "read_ome_zarr", "write_ome_zarr"]


def is_zarr(path: Path) -> bool:
    """Whether a folder is a zarr store."""
    return any((path / name).is_file() for name in ("zarr.json", ".zgroup", ".zattrs"))


def read_ome_zarr(path: Path, axes: str | None) -> ImageFile:
    """Open the finest level of an OME-Zarr image; its pixels stay on disk.

    Raises
    ------
    ImageError
        If the folder is a zarr store but no OME-Zarr image.
    """
    import zarr

    group = zarr.open_group(path, mode="r")
    multiscale = _multiscale(path, dict(group.attrs))
    dataset = multiscale.datasets[0]
    array = group[dataset.path]
    letters = "".join(axis.name.upper() for axis in multiscale.axes)
    data, arranged = arrange(array, letters, axes)
    scale = [1.0] * len(letters)
    for transform in [
        *dataset.coordinateTransformations,
        *(multiscale.coordinateTransformations or []),
    ]:
        if transform.type == "scale":
            scale = [a * b for a, b in zip(scale, transform.scale, strict=True)]
    units = [getattr(axis, "unit", None) for axis in multiscale.axes]
    sizes = {
        letter: length_um(size, unit)
        for letter, size, unit in zip(letters, scale, units, strict=True)
    }
    across, down = sizes.get("X"), sizes.get("Y")
    square = across is not None and down is not None and abs(across - down) < 0.01 * across
    return ImageFile(data, arranged, across if square else None, sizes.get("Z"))


def _multiscale(path: Path, attributes: dict[str, Any]) -> Any:
    from pydantic import ValidationError
    from yaozarrs import v04, v05

    try:
        if "ome" in attributes:
            return v05.Image.model_validate(attributes["ome"]).multiscales[0]
        return v04.Image.model_validate(attributes).multiscales[0]
    except ValidationError as error:
        raise ImageError(
            f"{path} is a zarr store, but not of one OME-Zarr image: "
            "give the folder that holds the multiscales"
        ) from error


def write_ome_zarr(
    path: Path,
    data: Any,
    axes: str,
    *,
    pixel_size_um: float | None,
    z_step_um: float | None,
    metadata: Mapping[str, Any],
) -> None:
    """Write an OME-Zarr 0.5 image of one level."""
    from yaozarrs import v05
    from yaozarrs.write.v05 import write_image

    sizes = {"Z": z_step_um, "Y": pixel_size_um, "X": pixel_size_um}
    scale = [sizes.get(letter) or 1.0 for letter in axes]
    dataset = v05.Dataset(
        path="0", coordinateTransformations=[v05.ScaleTransformation(scale=scale)]
    )
    image = v05.Image(
        multiscales=[
            v05.Multiscale(
                axes=[_axis(letter, sizes.get(letter)) for letter in axes], datasets=[dataset]
            )
        ]
    )
    attributes = {"napari_deepblur": dict(metadata)} if metadata else None
    write_image(path, image, data, writer="zarr", extra_attributes=attributes)


def _axis(letter: str, size_um: float | None) -> Any:
    from yaozarrs import v05

    name = letter.lower()
    if letter == "T":
        return v05.TimeAxis(name=name)
    if letter == "C":
        return v05.ChannelAxis(name=name)
    return v05.SpaceAxis(name=name, unit=None if size_um is None else "micrometer")
