"""Write OME-Zarr 0.5."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_deepblur.io.metadata import Channel, ImageMetadata
from napari_deepblur.io.zarr_pyramid import ZarrPyramid

__all__ = ["describe_ome_zarr", "write_ome_zarr"]

_WHITE = (255, 255, 255)


def write_ome_zarr(
    path: Path, data: Any, axes: str, metadata: ImageMetadata, provenance: Mapping[str, Any]
) -> None:
    """Write an image and its coarser levels, plane by plane."""
    shape = tuple(int(n) for n in data.shape)
    pyramid = ZarrPyramid.create(path, shape, data.dtype, axes)
    for index in np.ndindex(pyramid.shape[:-2]):
        pyramid[index] = np.asarray(data[index])
    describe_ome_zarr(path, pyramid, axes, metadata, provenance)


def describe_ome_zarr(
    path: Path,
    pyramid: ZarrPyramid,
    axes: str,
    metadata: ImageMetadata,
    provenance: Mapping[str, Any],
) -> None:
    """Make an image of the arrays in a folder, all of whose planes are written."""
    import zarr
    from yaozarrs import v05

    scale = _scale(metadata)
    multiscale = v05.Multiscale(
        name=metadata.name or None,
        axes=[_axis(letter, scale.get(letter)) for letter in axes],
        datasets=[
            v05.Dataset(
                path=str(level), coordinateTransformations=_transformations(axes, metadata, level)
            )
            for level in range(len(pyramid.levels))
        ],
    )
    image = v05.Image(multiscales=[multiscale], omero=_omero(metadata, pyramid))
    own = {**provenance, **_own_fields(metadata)}
    attributes = {"ome": image.model_dump(mode="json", exclude_none=True)}
    group = zarr.open_group(path, mode="a", zarr_format=3)
    group.update_attributes(attributes | ({"napari_deepblur": own} if own else {}))


def _transformations(axes: str, metadata: ImageMetadata, level: int) -> list[Any]:
    """Scale of a level, and the place of the middle of its first pixel."""
    from yaozarrs import v05

    factor = 2.0**level
    scale = {letter: size or 1.0 for letter, size in _scale(metadata).items()}
    scale |= {letter: factor * scale[letter] for letter in "YX"}
    shift = _shift(metadata)
    for letter in "YX":
        shift[letter] = shift.get(letter, 0.0) + scale[letter] * (1 - 1 / factor) / 2
    steps: list[Any] = [v05.ScaleTransformation(scale=[scale.get(letter, 1.0) for letter in axes])]
    if any(shift.values()):
        shifts = [shift.get(letter, 0.0) for letter in axes]
        steps.append(v05.TranslationTransformation(translation=shifts))
    return steps


def _scale(metadata: ImageMetadata) -> dict[str, float | None]:
    down, across = metadata.pixel_sides_um or (None, None)
    return {"T": metadata.time_step_s, "Z": metadata.z_step_um, "Y": down, "X": across}


def _shift(metadata: ImageMetadata) -> dict[str, float]:
    """Return the position in µm; OME-Zarr has no field for coordinates without a unit."""
    place = metadata.position
    if place is None or place.unit != "µm":
        return {}
    return {"Z": place.z or 0.0, "Y": place.y or 0.0, "X": place.x or 0.0}


def _axis(letter: str, size: float | None) -> Any:
    from yaozarrs import v05

    name = letter.lower()
    if letter == "T":
        return v05.TimeAxis(name=name, unit=None if size is None else "second")
    if letter == "C":
        return v05.ChannelAxis(name=name)
    return v05.SpaceAxis(name=name, unit=None if size is None else "micrometer")


def _omero(metadata: ImageMetadata, pyramid: ZarrPyramid) -> Any:
    """Names and colours of the channels, where the image has any."""
    from yaozarrs import v05

    if not any(channel.name or channel.colour for channel in metadata.channels):
        return None
    low, high = pyramid.extent()
    window = v05.OmeroWindow(start=low, min=low, end=high, max=high)
    return v05.Omero(
        channels=[
            v05.OmeroChannel(
                window=window, label=channel.name or None, color=_hex(channel), active=True
            )
            for channel in metadata.channels
        ]
    )


def _hex(channel: Channel) -> str:
    return bytes(channel.colour or _WHITE).hex().upper()


def _own_fields(metadata: ImageMetadata) -> dict[str, Any]:
    """Metadata that OME-Zarr has no fields for."""
    channels = [
        {
            "wavelength_um": channel.wavelength_um,
            "excitation_um": channel.excitation_um,
        }
        for channel in metadata.channels
    ]
    fields = {
        "numerical_aperture": metadata.numerical_aperture,
        "refractive_index": metadata.refractive_index,
        "acquired": metadata.acquired or None,
        "channels": channels if any(any(one.values()) for one in channels) else None,
    }
    stated = {key: value for key, value in fields.items() if value is not None}
    return {"image": stated} if stated else {}
