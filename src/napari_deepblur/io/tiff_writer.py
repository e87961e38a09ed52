"""Write OME-TIFF."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.io.metadata import Channel, ImageMetadata, Position

__all__ = ["write_tiff"]

#: A plain TIFF file ends at 4 GiB; what surrounds the pixels needs some of that.
_LARGEST_PLAIN = 2**32 - 2**25
_BYTES_AROUND_A_PLANE = 4096
#: Side of the tiles of planes that are larger than two of them, pixels.
_TILE = 512


def write_tiff(
    path: Path, data: Any, axes: str, metadata: ImageMetadata, provenance: Mapping[str, Any]
) -> None:
    """Write an OME-TIFF file, losslessly compressed, plane by plane; BigTIFF where it is needed."""
    from tifffile import imwrite

    shape = tuple(int(n) for n in data.shape)
    n_planes = math.prod(shape[:-2])
    side = _TILE if min(shape[-2:]) >= 2 * _TILE else None
    n_bytes = math.prod(shape) * data.dtype.itemsize + n_planes * _BYTES_AROUND_A_PLANE
    imwrite(
        path,
        _parts(data, side),
        tile=None if side is None else (side, side),
        shape=(n_planes, *shape[-2:]),
        dtype=data.dtype,
        bigtiff=n_bytes > _LARGEST_PLAIN,
        photometric="minisblack",
        compression="zlib",
        description=_ome_xml(
            shape, data.dtype, axes, metadata, provenance, name=path.name
        ).encode(),
        metadata=None,
    )


def _parts(data: Any, side: int | None) -> Iterator[NDArray[Any]]:
    """Planes one by one, or the tiles of each."""
    for index in np.ndindex(tuple(data.shape[:-2])):
        plane = np.ascontiguousarray(data[index])
        if side is None:
            yield plane
            continue
        for top, left in product(*(range(0, n, side) for n in plane.shape)):
            yield plane[top : top + side, left : left + side]


def _ome_xml(
    shape: tuple[int, ...],
    dtype: Any,
    axes: str,
    metadata: ImageMetadata,
    provenance: Mapping[str, Any],
    *,
    name: str,
) -> str:
    from tifffile import OmeXml

    n_planes = math.prod(shape[:-2])
    fields = _image_fields(axes, metadata, provenance)
    # A file of one name that is made again in the very same way is the very same file.
    told = json.dumps([name, shape, axes, fields], sort_keys=True)
    own = f"urn:uuid:{uuid5(NAMESPACE_URL, told) if provenance else uuid4()}"
    xml = OmeXml(Creator="napari-deepblur", UUID=own)
    xml.addimage(
        dtype,
        shape,
        (n_planes, 1, 1, shape[-2], shape[-1], 1),
        axes=axes,
        **fields,
        Channel=[_attributes_of(channel) for channel in metadata.channels],
        **_plane_fields(metadata, shape, axes),
    )
    return _with_objective(xml.tostring(declaration=True), metadata)


def _image_fields(
    axes: str, metadata: ImageMetadata, provenance: Mapping[str, Any]
) -> dict[str, Any]:
    down, across = metadata.pixel_sides_um or (None, None)
    sizes = {"X": across, "Y": down, "Z": metadata.z_step_um if "Z" in axes else None}
    fields: dict[str, Any] = {}
    for letter, size in sizes.items():
        if size is not None:
            fields |= {f"PhysicalSize{letter}": size, f"PhysicalSize{letter}Unit": "µm"}
    if metadata.time_step_s is not None and "T" in axes:
        fields |= {"TimeIncrement": metadata.time_step_s, "TimeIncrementUnit": "s"}
    if metadata.name:
        fields["Name"] = metadata.name
    if metadata.acquired:
        fields["AcquisitionDate"] = metadata.acquired
    if provenance:
        fields["Description"] = json.dumps(provenance)
    return fields


def _attributes_of(channel: Channel) -> dict[str, Any]:
    fields: dict[str, Any] = {"Name": channel.name} if channel.name else {}
    if channel.colour is not None:
        code = int.from_bytes(bytes((*channel.colour, 255)), "big", signed=True)
        fields["Color"] = code
    lengths = {"Emission": channel.wavelength_um, "Excitation": channel.excitation_um}
    for kind, length in lengths.items():
        if length is not None:
            fields |= {f"{kind}Wavelength": f"{1000 * length:.9g}", f"{kind}WavelengthUnit": "nm"}
    return fields


def _plane_fields(metadata: ImageMetadata, shape: tuple[int, ...], axes: str) -> dict[str, Any]:
    """Position of each plane, in the order of the pixels."""
    position = metadata.position
    if position is None:
        return {}
    step = metadata.z_step_um or 0.0 if position.unit == "µm" else 0.0
    depth = axes.find("Z")
    indices = np.ndindex(shape[:-2])
    return {"Plane": [_place(position, step * i[depth] if depth >= 0 else 0) for i in indices]}


def _place(position: Position, height: float) -> dict[str, Any]:
    z = None if position.z is None else position.z + height
    places = {"X": position.x, "Y": position.y, "Z": z}
    fields: dict[str, Any] = {}
    for letter, place in places.items():
        if place is not None:
            fields |= {f"Position{letter}": place, f"Position{letter}Unit": position.unit}
    return fields


def _with_objective(xml: str, metadata: ImageMetadata) -> str:
    """Add the objective, for which tifffile has no field."""
    aperture, index = metadata.numerical_aperture, metadata.refractive_index
    if aperture is None and index is None:
        return xml
    lens = "" if aperture is None else f' LensNA="{aperture}"'
    medium = "" if index is None else f' RefractiveIndex="{index}"'
    instrument = f'<Instrument ID="Instrument:0"><Objective ID="Objective:0"{lens}/></Instrument>'
    settings = f'<InstrumentRef ID="Instrument:0"/><ObjectiveSettings ID="Objective:0"{medium}/>'
    xml = xml.replace("<Image ", f"{instrument}<Image ", 1)
    return xml.replace("<Pixels ", f"{settings}<Pixels ", 1)
