"""Read OME-Zarr, versions 0.1 to 0.5, and plain zarr arrays, from disk or the web.

Source: the OME-NGFF specification, https://ngff.openmicroscopy.org.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import count, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_deepblur.errors import ImageError, describe
from napari_deepblur.io.axes import AXES, letters_of_names
from napari_deepblur.io.image_file import StoredImage
from napari_deepblur.io.lazy import lazy_array
from napari_deepblur.io.metadata import Channel, ImageMetadata, Position
from napari_deepblur.io.ome_xml import read_ome_xml
from napari_deepblur.io.units import length_um, number, positive, time_s, unit_factor
from napari_deepblur.io.zarr_chunks import (
    CheckedBlosc,
    check_believable,
    describe_missing,
    is_blosc,
)

if TYPE_CHECKING:
    import zarr

__all__ = ["is_zarr", "zarr_images"]

Fields = Mapping[str, Any]


def is_zarr(path: Path) -> bool:
    """Tell whether a folder is a zarr store."""
    return any((path / name).is_file() for name in ("zarr.json", ".zgroup", ".zattrs", ".zarray"))


@contextmanager
def zarr_images(place: Path | str) -> Iterator[list[StoredImage]]:
    """Open the images of a zarr store at their finest level; their pixels stay where they are.

    Parameters
    ----------
    place
        Folder, zip file or web address of an OME-Zarr image, of a group or a plate of them,
        or of a plain array.

    Raises
    ------
    ImageError
        If there is no image in it.
    """
    import zarr

    store: Any = place
    if isinstance(place, Path) and place.is_file():
        store = zarr.storage.ZipStore(place, mode="r")
    node = zarr.open(store, mode="r")
    images = list(_images(node, _beside(place)))
    if not images:
        raise ImageError(f"{place} is a zarr store without an image in it{_advice(node)}")
    yield images


def _images(node: Any, beside: Fields) -> Iterator[StoredImage]:
    import zarr

    if isinstance(node, zarr.Array):
        yield _of_array(node)
        return
    fields = _fields(node.attrs)
    multiscales = fields.get("multiscales")
    if isinstance(multiscales, list) and multiscales:
        told = beside.get(node.name.rpartition("/")[2]) or _own_fields(node)
        for multiscale in multiscales:
            yield _of_multiscale(node, multiscale, fields.get("omero") or {}, told)
        return
    for name in _children(node, fields):
        # One field that is damaged does not cost the others of its plate.
        try:
            yield from list(_images(node[name], beside))
        except Exception as error:  # noqa: BLE001
            path = f"{node.path}/{name}".lstrip("/")
            yield _unreadable(path, f"{path} cannot be read; is it whole? ({describe(error)})")


def _unreadable(path: str, why: str) -> StoredImage:
    """Stand in for a listed image that cannot be opened: loading it says why."""

    def load() -> Any:
        raise ImageError(why)

    return StoredImage(load, "", (), np.dtype(np.uint8), ImageMetadata(name=path), damage=why)


def _fields(attributes: Fields) -> Fields:
    """Return the attributes of OME-Zarr, which lie below `ome` since version 0.5."""
    ome = attributes.get("ome")
    return ome if isinstance(ome, Mapping) else attributes


def _children(group: zarr.Group, fields: Fields) -> list[str]:
    """Paths of the images that a group of images or a plate lists."""
    for kind, key in (("plate", "wells"), ("well", "images")):
        listed = fields.get(kind)
        if isinstance(listed, Mapping):
            return [str(one["path"]) for one in listed.get(key, [])]
    if "bioformats2raw.layout" in fields:
        listed = _fields(group["OME"].attrs).get("series") if "OME" in group else None
        # Not by listing the group, for the web has no listing.
        return [str(name) for name in listed or takewhile(group.__contains__, map(str, count()))]
    return []


def _advice(node: Any) -> str:
    names = [name for name in getattr(node, "array_keys", list)() if name][:4]
    if names:
        return f": give one of its arrays, such as {names[0]!r}, with the letters of its axes"
    groups = [name for name in getattr(node, "group_keys", list)() if name][:4]
    if groups:
        return f": give the folder of an image inside it; it holds {', '.join(groups)}"
    return ""


def _of_array(array: zarr.Array[Any]) -> StoredImage:
    names = _dimension_names(array)
    letters = letters_of_names(names, [None] * len(names)) if names else _usual(array.ndim)
    return _stored(array, letters, ImageMetadata())


def _stored(array: Any, letters: str, metadata: ImageMetadata) -> StoredImage:
    root = getattr(array.store, "root", None)
    folder = Path(root) / array.path if root is not None else None

    def load() -> Any:
        if folder is None:
            return lazy_array(array, letters, name=array.path, chunks=array.chunks)
        check_believable(array, folder)
        checked = CheckedBlosc(array, folder) if is_blosc(array) else array
        return lazy_array(checked, letters, name=folder.name, chunks=array.chunks)

    damage = "" if folder is None else describe_missing(array, folder)
    shape, dtype = tuple(array.shape), np.dtype(array.dtype)
    return StoredImage(load, letters, shape, dtype, metadata, damage=damage)


def _dimension_names(array: zarr.Array[Any]) -> Sequence[str]:
    """Names of the dimensions in zarr 3 or xarray; none unless all dimensions have one."""
    names: Any = getattr(array.metadata, "dimension_names", None)
    names = names or array.attrs.get("_ARRAY_DIMENSIONS") or []
    return [str(name) for name in names] if len(names) == array.ndim and all(names) else []


def _usual(n_dimensions: int) -> str:
    """Letters of an array without names: only its last two dimensions are known, Y and X."""
    return ("I" * (n_dimensions - 2) + "YX")[-n_dimensions:] if n_dimensions else ""


def _of_multiscale(
    group: zarr.Group, multiscale: Fields, omero: Fields, told: ImageMetadata
) -> StoredImage:
    dataset, array = _finest(group, multiscale)
    letters, units = _axes(multiscale.get("axes"), array.ndim)
    scale, shift = _scale_and_shift([*_steps(dataset), *_steps(multiscale)], array.ndim)
    sides = [_length(letters, scale, units, letter) for letter in "YX"]
    metadata = replace(
        told,
        pixel_sides_um=(sides[0], sides[1]) if sides[0] and sides[1] else told.pixel_sides_um,
        z_step_um=_length(letters, scale, units, "Z") or told.z_step_um,
        time_step_s=_time(letters, scale, units) or told.time_step_s,
        position=_position(letters, shift, units) or told.position,
        channels=_channels(omero, told.channels),
        name=str(multiscale.get("name") or omero.get("name") or told.name or group.path),
    )
    return _stored(array, letters, metadata)


def _finest(group: zarr.Group, multiscale: Fields) -> tuple[Fields, Any]:
    """First dataset of a multiscale image, and its array."""
    datasets = multiscale.get("datasets")
    if not isinstance(datasets, list) or not datasets:
        raise ImageError("this OME-Zarr image lists no array: is it whole?")
    path = str(datasets[0].get("path", ""))
    if path not in group:
        raise ImageError(f"this OME-Zarr image is incomplete: its array {path!r} is missing")
    return datasets[0], group[path]


def _axes(axes: Any, n_dimensions: int) -> tuple[str, list[str | None]]:
    """Letter and unit of each dimension; before version 0.3 they are always T C Z Y X."""
    if not isinstance(axes, list) or len(axes) != n_dimensions:
        letters = AXES if n_dimensions == len(AXES) else _usual(n_dimensions)
        return letters, [None] * n_dimensions
    named = [axis if isinstance(axis, Mapping) else {"name": axis} for axis in axes]
    names = [str(axis.get("name", "")) for axis in named]
    return letters_of_names(names, [axis.get("type") for axis in named]), [
        axis.get("unit") for axis in named
    ]


def _steps(fields: Fields) -> list[Fields]:
    steps = fields.get("coordinateTransformations")
    return [step for step in steps or [] if isinstance(step, Mapping)]


def _scale_and_shift(steps: Sequence[Fields], n: int) -> tuple[list[float] | None, list[float]]:
    """Scales and translations, one after the other, as one scale and one translation."""
    scale: list[float] | None = None
    shift = [0.0] * n
    for step in steps:
        kind = step.get("type")
        values = [number(value) for value in step.get(str(kind)) or []]
        if kind not in ("scale", "translation") or len(values) != n or None in values:
            continue
        if kind == "scale":
            scale = [a * (b or 0) for a, b in zip(scale or [1.0] * n, values, strict=True)]
            shift = [a * (b or 0) for a, b in zip(shift, values, strict=True)]
        else:
            shift = [a + (b or 0) for a, b in zip(shift, values, strict=True)]
    return scale, shift


def _length(
    letters: str, scale: list[float] | None, units: list[str | None], letter: str
) -> float | None:
    if scale is None or letter not in letters:
        return None
    place = letters.index(letter)
    return length_um(abs(scale[place]), units[place])


def _time(letters: str, scale: list[float] | None, units: list[str | None]) -> float | None:
    if scale is None or "T" not in letters:
        return None
    place = letters.index("T")
    return time_s(scale[place], units[place])


def _position(letters: str, shift: list[float], units: list[str | None]) -> Position | None:
    places = dict.fromkeys("ZYX", 0.0)
    for letter, moved, unit in zip(letters, shift, units, strict=True):
        factor = unit_factor(unit, "micrometer")
        if letter in places and factor is not None:
            places[letter] = moved * factor
    return Position(z=places["Z"], y=places["Y"], x=places["X"]) if any(places.values()) else None


def _channels(omero: Fields, told: Sequence[Channel]) -> tuple[Channel, ...]:
    """Channels of omero's fields, with the wavelengths that another source tells."""
    listed = omero.get("channels")
    if not isinstance(listed, list) or not all(isinstance(one, Mapping) for one in listed):
        return tuple(told)
    known = told if len(told) == len(listed) else [Channel()] * len(listed)
    return tuple(
        replace(
            channel, name=str(one.get("label") or channel.name), colour=_colour(one.get("color"))
        )
        for one, channel in zip(listed, known, strict=True)
    )


def _colour(text: Any) -> tuple[int, int, int] | None:
    try:
        red, green, blue = bytes.fromhex(str(text).lstrip("#"))[:3]
    except ValueError:
        return None
    return red, green, blue


def _own_fields(group: zarr.Group) -> ImageMetadata:
    """Read the metadata that OME-Zarr has no fields for, as `zarr_writer` stores them."""
    own = group.attrs.get("napari_deepblur")
    image = own.get("image") if isinstance(own, Mapping) else None
    if not isinstance(image, Mapping):
        return ImageMetadata()
    channels = image.get("channels")
    return ImageMetadata(
        numerical_aperture=positive(image.get("numerical_aperture")),
        refractive_index=positive(image.get("refractive_index")),
        acquired=str(image.get("acquired") or ""),
        channels=tuple(
            Channel(
                wavelength_um=positive(one.get("wavelength_um")),
                excitation_um=positive(one.get("excitation_um")),
            )
            for one in (channels if isinstance(channels, list) else [])
            if isinstance(one, Mapping)
        ),
    )


def _beside(place: Path | str) -> dict[str, ImageMetadata]:
    """OME-XML that bioformats2raw leaves beside the images, by the name of the image's group."""
    if not isinstance(place, Path):
        return {}
    for folder in (place, place.parent):
        text = folder / "OME" / "METADATA.ome.xml"
        if text.is_file():
            told = read_ome_xml(text.read_text(encoding="utf-8"))
            names = {str(number): one for number, one in enumerate(told)}
            # The image's own folder has no name inside its store.
            return names if folder == place else {"": names.get(place.name, ImageMetadata())}
    return {}
