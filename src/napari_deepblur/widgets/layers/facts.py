"""Facts that a layer itself states: axes, pixel size, optics; nothing is guessed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_deepblur.engine.axes import Planes
from napari_deepblur.engine.known_optics import Known, require_square_pixels, stated
from napari_deepblur.errors import ImageError
from napari_deepblur.io.axes import AXES
from napari_deepblur.widgets.layers.ome import ome_optics
from napari_deepblur.widgets.layers.optics_fields import OPTICS_FIELDS
from napari_deepblur.widgets.layers.source_file import SourceFile, file_of, letters_for

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image
    from pint import Unit

__all__ = [
    "LayerFacts",
    "axes_of",
    "data_position",
    "facts_of",
    "name_axes",
    "pixel_size_of",
    "pixels_of",
    "take_scale_as_um",
    "unit_factor",
    "z_step_of",
]

#: Of so many axes without names none can be channels: napari shows those as layers.
_MOST_PLAIN = 3


@dataclass(frozen=True, slots=True)
class LayerFacts:
    """Facts that a layer states.

    Attributes
    ----------
    axes
        One letter of TCZYX per dimension.
    known
        Fields of `Optics` that the layer states, and of a Z stack the distance between its planes,
        ``z_step_um``, with their sources.
    hint
        Reason why the pixel size is not among them.
    problem
        Reason why the layer cannot be used at all; empty if it can.
    bare_scale
        Side of a pixel in a unit that is no length, where it is not just 1: many readers set a
        scale in µm and no unit.
    asks_axes
        Whether nobody says what the axes are, and that matters: of four or more, one may be
        channels.
    n_channels
        Number of channels that the layer holds; one with several must be split.
    shape
        Number of pixels along each axis.
    n_depths
        Number of planes along Z of each of its stacks; 1 where it holds no stacks.
    is_light_sheet
        Whether the layer says that its microscope is a light sheet.
    """

    axes: str = ""
    known: Mapping[str, Known] = field(default_factory=dict)
    hint: str = ""
    problem: str = ""
    bare_scale: float | None = None
    asks_axes: bool = False
    n_channels: int = 1
    shape: tuple[int, ...] = ()
    n_depths: int = 1
    is_light_sheet: bool = False


def name_axes(layer: Image, letters: str) -> None:
    """Name the axes of a layer by letters of TCZYX."""
    layer.axis_labels = tuple(letters.lower())


def take_scale_as_um(layer: Image) -> None:
    """Set µm as the unit of those axes of a layer in space whose unit is no length."""
    layer.units = [
        "micrometer" if axis in "ZYX" and _micrometres(unit) is None else unit
        for axis, unit in zip(axes_of(layer), layer.units, strict=True)
    ]


def pixels_of(layer: Image) -> Any:
    """Return the array of a layer at full resolution; it may be lazy."""
    return layer.data[0] if layer.multiscale else layer.data


def data_position(viewer: ViewerModel, layer: Image, world: Sequence[float]) -> NDArray[np.float64]:
    """Return the coordinates in a layer's data of a point in the viewer's world.

    The world has units of its own where layers differ in theirs.
    """
    position = np.array(world, float)
    units = viewer.dims.units
    if units is not None and len(position) >= layer.ndim:
        pairs = zip(units[-layer.ndim :], layer.units, strict=True)
        position[-layer.ndim :] *= [unit_factor(a, b) for a, b in pairs]
    return np.asarray(layer.world_to_data(position), float)


def unit_factor(unit: Unit, other: Unit) -> float:
    """Return how many `other` units one `unit` is; 1 where only one of them is a length.

    napari shows such layers together with their scales taken as plain numbers, and while it
    adds or removes a layer the viewer's units may for a moment be those of another one.
    """
    if unit == other or not unit.is_compatible_with(other):
        return 1.0
    return float((1 * unit).to(other).magnitude)


def axes_of(layer: Image) -> str:
    """Return one letter of TCZYX per dimension of the layer.

    The layer's axis labels decide where all are such letters, then its file; whether time comes
    before depth makes no difference to planes. Otherwise they are the last of T C Z Y X, and of
    four T Z Y X: `LayerFacts.asks_axes` tells that this is not known.
    """
    n = len(pixels_of(layer).shape)
    usual = {2: "YX", 3: "ZYX", 4: "TZYX"}.get(n, AXES)
    letters = _stated_axes(layer) or usual
    return usual if letters == "ZTYX" else letters


def _stated_axes(layer: Image) -> str:
    """Letters that the layer's labels or its file give the axes; empty where neither does."""
    shape = pixels_of(layer).shape
    labels = "".join(label.upper() for label in layer.axis_labels)
    if len(labels) == len(set(labels)) == len(shape) and set(labels) <= set(AXES):
        return labels
    return letters_for(shape, file_of(layer))


def facts_of(layer: Image) -> LayerFacts:
    """Look at a layer without reading its pixels."""
    if layer.rgb:
        return LayerFacts(
            problem=f"{layer.name!r} is a colour (RGB) image: split it into channels "
            "(right-click on the layer, Split RGB) and choose one of them"
        )
    letters, shape = axes_of(layer), tuple(int(n) for n in pixels_of(layer).shape)
    n_channels = dict(zip(letters, shape, strict=True)).get("C", 1)
    if n_channels > 1 and _stated_axes(layer):
        problem = (
            f"{layer.name!r} holds {n_channels} channels, each with its own wavelength: split it "
            "and choose one of them"
        )
        return LayerFacts(letters, problem=problem, n_channels=n_channels, shape=shape)
    if len(shape) > _MOST_PLAIN and not _stated_axes(layer):
        return LayerFacts(letters, asks_axes=True, shape=shape)
    try:
        axes = Planes.of(pixels_of(layer), axes_of(layer)).axes
        sides, hint, bare_scale = _pixel_sides_um(layer)
    except ImageError as error:
        return LayerFacts(problem=str(error))
    file = file_of(layer)
    known = stated("file", file.metadata) if file is not None else {}
    known |= _from_metadata(layer.metadata)
    if sides is not None:
        try:
            require_square_pixels(sides)
        except ImageError as error:
            return LayerFacts(axes, problem=str(error), shape=shape)
        known["pixel_size_um"] = Known(sides[1], "layer scale")
    if "pixel_size_um" in known:
        hint, bare_scale = "", None
    n_depths = _n_depths(layer, axes)
    step = _z_step(layer, axes.find("Z"), file) if n_depths > 1 else None
    known |= {} if step is None else {"z_step_um": step}
    own = layer.metadata.get("deepblur")
    return LayerFacts(
        axes,
        known,
        hint,
        bare_scale=bare_scale,
        shape=shape,
        n_depths=n_depths,
        is_light_sheet=isinstance(own, Mapping) and own.get("microscope") == "light sheet",
    )


def pixel_size_of(layer: Image) -> float | None:
    """Return the side of a pixel, µm, as a layer or its file says it, be it ever so small."""
    sides, _, _ = _pixel_sides_um(layer)
    if sides is not None:
        return sides[1]
    file = file_of(layer)
    return None if file is None else file.metadata.pixel_size_um


def z_step_of(layer: Image) -> float | None:
    """Return the distance between planes along Z, µm, as a layer or its file says it."""
    place = axes_of(layer).find("Z")
    step = None if place < 0 else _z_step(layer, place, file_of(layer))
    return None if step is None else step.value


def _pixel_sides_um(layer: Image) -> tuple[tuple[float, float] | None, str, float | None]:
    """Return the sides of a pixel in µm along Y and X, or else the reason and the bare scale."""
    sides = []
    for axis in (-2, -1):
        length, unit = _length_um(layer, axis)
        if unit:
            return None, _hint(unit, length), None if length == 1 else length
        sides.append(length)
    return (sides[0], sides[1]), "", None


def _n_depths(layer: Image, axes: str) -> int:
    if _stated_axes(layer) == "ZTYX":  # planes of one stack are not beside one another
        return 1
    place = axes.find("Z")
    return 1 if place < 0 else int(pixels_of(layer).shape[place])


def _z_step(layer: Image, place: int, file: SourceFile | None) -> Known | None:
    length, unit = _length_um(layer, place)
    if not unit:
        return Known(length, "layer scale")
    stated_um = None if file is None else file.metadata.z_step_um
    return Known(stated_um, "file") if stated_um else None


def _length_um(layer: Image, axis: int) -> tuple[float, str]:
    """Return the length of a step along an axis in µm; or the bare length and its unit."""
    factors = [_micrometres(unit) for unit in layer.units]
    step = _world_step(layer, axis)
    moved = np.flatnonzero(np.abs(step) > 1e-9 * np.abs(step).max())
    unknown = [layer.units[i] for i in moved if factors[i] is None]
    if unknown:
        return float(np.linalg.norm(step)), str(unknown[0])
    lengths = [step[i] * factors[i] for i in moved]
    # Scales come as binary fractions of decimal numbers; nobody measures 7 digits.
    return float(f"{np.linalg.norm(lengths):.7g}"), ""


def _world_step(layer: Image, axis: int) -> NDArray[np.float64]:
    """Return the displacement in the world of one pixel along an axis."""
    here = np.zeros(layer.ndim)
    there = here.copy()
    there[axis] = 1
    step: NDArray[np.float64] = np.subtract(layer.data_to_world(there), layer.data_to_world(here))
    return step


def _micrometres(unit: Any) -> float | None:
    """Return a unit in µm; None if it is no length."""
    if not unit.is_compatible_with("micrometer"):
        return None
    return float((1 * unit).to("micrometer").magnitude)


def _hint(unit: str, side: float) -> str:
    hint = f"the layer's unit is {unit!r}, not a length: type the pixel size in µm"
    if side != 1:
        hint += f" (the layer's scale is {side:.6g}; if that is in µm, type it)"
    return hint


def _from_metadata(metadata: Mapping[str, Any]) -> dict[str, Known]:
    found = {name: Known(value, "OME") for name, value in ome_optics(metadata).items()}
    own = metadata.get("deepblur")
    optics = own.get("optics") if isinstance(own, Mapping) else None
    if isinstance(optics, Mapping):
        for name in OPTICS_FIELDS:
            if isinstance(optics.get(name), int | float):
                found[name] = Known(float(optics[name]), "metadata")
    return found
