"""Write OME-Zarr 0.5."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_deepblur.io.metadata import Channel, ImageMetadata

__all__ = ["write_ome_zarr"]

_WHITE = (255, 255, 255)


def write_ome_zarr(
    path: Path, data: Any, axes: str, metadata: ImageMetadata, provenance: Mapping[str, Any]
) -> None:
    """Write an image of one level."""
    import zarr
    from yaozarrs import v05
    from yaozarrs.write.v05 import write_image

    scale = _scale(metadata)
    transformations: list[Any] = [
        v05.ScaleTransformation(scale=[scale.get(letter) or 1.0 for letter in axes])
    ]
    shift = _shift(metadata)
    if any(shift.values()):
        shifts = [shift.get(letter, 0.0) for letter in axes]
        transformations.append(v05.TranslationTransformation(translation=shifts))
    dataset = v05.Dataset(path="0", coordinateTransformations=transformations)
    multiscale = v05.Multiscale(
        name=metadata.name or None,
        axes=[_axis(letter, scale.get(letter)) for letter in axes],
        datasets=[dataset],
    )
    image = v05.Image(multiscales=[multiscale], omero=_omero(metadata, data))
    own = {**provenance, **_own_fields(metadata)}
    attributes = {"napari_deepblur": own} if own else None
    # Empty planes too: without chunks they would look like those of an interrupted writer.
    with zarr.config.set({"array.write_empty_chunks": True}):
        write_image(path, image, data, writer="zarr", extra_attributes=attributes)


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


def _omero(metadata: ImageMetadata, data: Any) -> Any:
    """Names and colours of the channels, where the image has any."""
    from yaozarrs import v05

    if not any(channel.name or channel.colour for channel in metadata.channels):
        return None
    low, high = float(data.min()), float(data.max())
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
